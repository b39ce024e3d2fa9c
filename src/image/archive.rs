//! Unpacks an OCI archive (a tar of an OCI layout) into a directory, verified on the way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::blobs::Blobs;
use super::digest::{self, is_sha256};
use super::document;
use super::oci::Index;
use super::{Blob, ImageError};

/// Unpacks the archive `file` below `directory`, and returns the layout. Blobs that are there from an earlier time stay:
/// the directory is named after the index, so that another archive gets another one.
pub(super) fn unpack(file: &Path, directory: &Path) -> Result<PathBuf, ImageError> {
    unpack_lacking(file, directory, Blobs::has)
}

/// As [`unpack`], but reads all of the archive and of what is there, and takes neither at its word.
pub(super) fn unpack_verified(file: &Path, directory: &Path) -> Result<PathBuf, ImageError> {
    let mut archive = open(file)?;
    for (sha256, (offset, size)) in contents(&mut archive).map_err(|error| not_tar(file, &error))?.blobs {
        let sought = archive.seek(SeekFrom::Start(offset));
        let read = sought.and_then(|_| digest::of_reader((&mut archive).take(size)));
        let read = read.map_err(ImageError::io("read", file))?;
        if read.sha256 != sha256 {
            return Err(bad(
                file,
                format!("blob sha256:{sha256}: {}; copy the archive again", difference(&read, size)),
            ));
        }
    }
    unpack_lacking(file, directory, Blobs::is_intact)
}

/// What a tar is not, without a word of what stands in it: it may be a key.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".to_owned(),
        _ if error.raw_os_error().is_some() => error.to_string(),
        _ => "it is no tar file, or damaged".to_owned(),
    }
}

fn not_tar(file: &Path, error: &io::Error) -> ImageError {
    bad(file, format!("it cannot be read as tar: {}", reason(error)))
}

fn bad(file: &Path, reason: String) -> ImageError {
    ImageError::NotLayout { path: file.to_owned(), what: "an OCI archive", reason }
}

fn difference(actual: &Blob, size: u64) -> String {
    if actual.size < size {
        return "the archive ends in the middle of it".to_owned();
    }
    format!("its content has digest {}", actual.sha256)
}

fn unpack_lacking(file: &Path, directory: &Path, has: fn(&Blobs, &Blob) -> bool) -> Result<PathBuf, ImageError> {
    let mut archive = open(file)?;
    let bad = |reason| bad(file, reason);
    let length = archive.metadata().map_err(ImageError::io("read", file))?.len();
    let contents = contents(&mut archive).map_err(|error| not_tar(file, &error))?;
    if contents.blobs.values().any(|(offset, size)| offset.checked_add(*size).is_none_or(|end| end > length)) {
        return Err(bad("it is cut short; copy the archive again".to_owned()));
    }
    let index = contents
        .index
        .ok_or_else(|| bad("it has no index.json; is it what docker save wrote (docker-archive:FILE)?".to_owned()))?;
    let parsed: Index = serde_json::from_slice(&index).map_err(|error| bad(format!("its index.json: {error}")))?;

    let layout = directory.join(digest::of_bytes(&index));
    let blobs = Blobs::create(&layout).map_err(ImageError::io("create", &layout))?;
    let _held = blobs.lock().map_err(ImageError::io("lock", &layout))?;
    for (sha256, (offset, size)) in contents.blobs {
        let blob = Blob { sha256, size };
        if !has(&blobs, &blob) {
            extract(&mut archive, offset, &blob, &blobs).map_err(|error| match error.raw_os_error() {
                // A disk that is full is no fault of the archive.
                Some(_) => ImageError::io("unpack to", &layout)(error),
                None => bad(format!("blob sha256:{}: {error}; copy the archive again", blob.sha256)),
            })?;
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
                entry.take(document::LIMIT).read_to_end(&mut bytes)?;
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
        false => Err(io::Error::other(difference(actual, blob.size))),
    };
    blobs.write_checked(check, |out| io::copy(&mut archive.take(blob.size), out)).map(|_| ())
}
