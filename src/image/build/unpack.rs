//! Unpacks archives that a spec takes members of.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::error::SourceError;
use crate::image::blobs::Blobs;

/// Unpacks `archive`, whose digest is `sha256`, below `directory`; does nothing when that is done already.
/// `name` is the name by which the spec has it: its ending tells the compression. Work in progress is beside `blobs`.
pub(super) fn unpack(
    archive: &Path,
    name: &str,
    sha256: &str,
    directory: &Path,
    blobs: &Blobs,
) -> Result<PathBuf, SourceError> {
    let target = directory.join(sha256);
    if target.exists() {
        return Ok(target);
    }
    fs::create_dir_all(directory).map_err(SourceError::io("create", directory))?;
    // Unpacked beside its place and renamed, so that what has the name is complete.
    let scratch = blobs.scratch().map_err(SourceError::io("create a directory beside", directory))?;
    let file = File::open(archive).map_err(SourceError::io("open", archive))?;
    let reader = decompress(BufReader::new(file), name).ok_or_else(|| {
        SourceError::unsuitable(Path::new(name), "members are taken out of .tar, .tar.gz, .tgz and .tar.zst only")
    })?;
    let result = reader.and_then(|reader| tar::Archive::new(reader).unpack(scratch.path()));
    result.map_err(|error| SourceError::unsuitable(archive, format!("cannot be unpacked: {}", causes(&error))))?;
    match fs::rename(scratch.path(), &target) {
        // Another component with the same archive was faster.
        Err(_) if target.exists() => Ok(target),
        Err(error) => Err(SourceError::io("create", &target)(error)),
        Ok(()) => Ok(target),
    }
}

fn decompress(reader: BufReader<File>, name: &str) -> Option<io::Result<Box<dyn Read>>> {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    if ends(&[".tar"]) {
        Some(Ok(Box::new(reader)))
    } else if ends(&[".tar.gz", ".tgz"]) {
        Some(Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader))))
    } else if ends(&[".tar.zst"]) {
        Some(zstd::Decoder::with_buffer(reader).map(|decoder| Box::new(decoder) as Box<dyn Read>))
    } else {
        None
    }
}

fn causes(error: &io::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::tarball::Tarball;
    use super::*;

    fn tar() -> Vec<u8> {
        let mut tarball = Tarball::new(Vec::new());
        tarball.file("bin/tool", true, 4, &b"tool"[..]).unwrap();
        tarball.finish().unwrap()
    }

    #[test]
    fn archives_are_unpacked_once() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar()).unwrap();
        for (name, bytes) in [
            ("a.tar", tar()),
            ("a.tar.gz", gz.finish().unwrap()),
            ("a.tar.zst", zstd::encode_all(&tar()[..], 1).unwrap()),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let archive = directory.path().join("download");
            fs::write(&archive, bytes).unwrap();
            let blobs = Blobs::create(directory.path()).unwrap();
            let target = directory.path().join("unpacked");
            let unpacked = unpack(&archive, name, "digest", &target, &blobs).unwrap();
            assert_eq!(fs::read(unpacked.join("bin/tool")).unwrap(), b"tool", "{name}");
            fs::remove_file(&archive).unwrap();
            assert_eq!(unpack(&archive, name, "digest", &target, &blobs).unwrap(), unpacked);
        }
    }

    #[test]
    fn damage_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let (archive, unpacked) = (directory.path().join("a.tar.gz"), directory.path().join("unpacked"));
        let blobs = Blobs::create(directory.path()).unwrap();
        fs::write(&archive, "this is no gzip").unwrap();
        let error = unpack(&archive, "a.tar.gz", "digest", &unpacked, &blobs).unwrap_err().to_string();
        assert!(error.contains("a.tar.gz") && error.contains("cannot be unpacked"), "{error}");
        let error = unpack(&archive, "a.zip", "digest", &unpacked, &blobs).unwrap_err().to_string();
        assert!(error.contains("a.zip: members are taken out of"), "{error}");
        assert_eq!(fs::read_dir(&unpacked).unwrap().count(), 0);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
