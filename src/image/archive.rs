//! Unpacks an OCI archive (a tar of an OCI layout) into a directory, verified on the way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::blobs::Blobs;
use super::digest::{self, is_sha256};
use super::oci::Index;
use super::{Blob, ImageError};

/// Largest index that is read.
const INDEX_LIMIT: u64 = 4 << 20;

/// Unpacks the archive `file` below `directory`, and returns the layout. Blobs that are there from an earlier time stay:
/// the directory is named after the index, so that another archive gets another one.
pub(super) fn unpack(file: &Path, directory: &Path) -> Result<PathBuf, ImageError> {
    let mut archive = open(file)?;
    let bad = |reason: String| ImageError::NotLayout { path: file.to_owned(), what: "an OCI archive", reason };
    let contents = contents(&mut archive).map_err(|error| bad(format!("it cannot be read as tar: {error}")))?;
    let index = contents
        .index
        .ok_or_else(|| bad("it has no index.json; is it what docker save wrote (docker-archive:FILE)?".to_owned()))?;
    let parsed: Index = serde_json::from_slice(&index).map_err(|error| bad(format!("its index.json: {error}")))?;

    let layout = directory.join(digest::of_bytes(&index));
    let blobs = Blobs::create(&layout).map_err(ImageError::io("create", &layout))?;
    let _held = blobs.lock().map_err(ImageError::io("lock", &layout))?;
    for (sha256, (offset, size)) in contents.blobs {
        let blob = Blob { sha256, size };
        if !blobs.has(&blob) {
            extract(&mut archive, offset, &blob, &blobs)
                .map_err(|error| bad(format!("blob sha256:{}: {error}; copy the archive again", blob.sha256)))?;
        }
    }
    blobs.finish_layout(&parsed).map_err(ImageError::io("write to", &layout))?;
    Ok(layout)
}

/// Opens an archive.
pub(super) fn open(file: &Path) -> Result<File, ImageError> {
    File::open(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ImageError::NotFound { path: file.to_owned() },
        _ => ImageError::io("open", file)(error),
    })
}

#[derive(Default)]
struct Contents {
    index: Option<Vec<u8>>,
    /// Position and size by digest.
    blobs: BTreeMap<String, (u64, u64)>,
}

/// Reads the headers, and nothing in between.
fn contents(archive: &mut File) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut tar = tar::Archive::new(archive);
    for entry in tar.entries_with_seek()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        let parts: Vec<_> = path.components().filter(|part| *part != Component::CurDir).collect();
        let names: Vec<_> = parts.iter().filter_map(|part| part.as_os_str().to_str()).collect();
        match names[..] {
            ["index.json"] => {
                let mut bytes = Vec::new();
                entry.take(INDEX_LIMIT).read_to_end(&mut bytes)?;
                contents.index = Some(bytes);
            }
            ["blobs", "sha256", name] if is_sha256(name) => {
                contents.blobs.insert(name.to_owned(), (entry.raw_file_position(), entry.size()));
            }
            _ => {}
        }
    }
    Ok(contents)
}

fn extract(archive: &mut File, offset: u64, blob: &Blob, blobs: &Blobs) -> io::Result<()> {
    archive.seek(SeekFrom::Start(offset))?;
    let check = |actual: &Blob| match actual == blob {
        true => Ok(()),
        false if actual.size < blob.size => Err(io::Error::other("the archive ends in the middle of it")),
        false => Err(io::Error::other(format!("its content has digest {}", actual.sha256))),
    };
    blobs.write_checked(check, |out| io::copy(&mut archive.take(blob.size), out)).map(|_| ())
}
