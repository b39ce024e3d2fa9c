//! The file: a bbolt database, and the SHA-256 of it as the last 32 bytes.

use std::io;

use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::bolt::{self, Database, Source};
use super::contents::{Contents, Reader};

/// Length of the digest at the end.
const TRAILER: u64 = 32;
/// bbolt writes whole pages, whose sizes are multiples of this.
const SECTOR: u64 = 512;

/// A snapshot that is whole: its bytes are those that etcd sent, every page of its database is sound, and what stands
/// in it is etcd's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file, as `sha256sum` prints it.
    pub sha256: String,
    /// What stands in it.
    pub contents: Contents,
}

/// Why a file is no snapshot that could be restored.
#[derive(Debug, Error)]
pub enum Damage {
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not consist of pages and a digest.
    #[error("its size, {0} bytes, is not that of a snapshot: it is cut short, or another kind of file")]
    Size(u64),
    /// Its bytes are not those that were written.
    #[error("its content does not have the SHA-256 that stands at its end: it is damaged")]
    Digest,
    /// Its bytes were written like that, from a database that was damaged then.
    #[error(transparent)]
    Database(#[from] bolt::Damage),
    /// It is some other database.
    #[error("it is no database of etcd: {0}")]
    Foreign(String),
}

/// Reads all of a file of `size` bytes, twice: as a row of bytes, and as a tree of pages.
pub fn verify(source: &(impl Source + ?Sized), size: u64) -> Result<Verified, Damage> {
    if size <= TRAILER || size % SECTOR != TRAILER {
        return Err(Damage::Size(size));
    }
    let body = size - TRAILER;
    let mut hasher = Sha256::new();
    let (mut buffer, mut at) = (vec![0; 1 << 20], 0);
    while at < body {
        let length = buffer.len().min(usize::try_from(body - at).unwrap_or(usize::MAX));
        let piece = &mut buffer[..length];
        source.read_at(piece, at)?;
        hasher.update(&*piece);
        at += length as u64;
    }
    let mut trailer = [0; TRAILER as usize];
    source.read_at(&mut trailer, body)?;
    if hasher.clone().finalize().as_slice() != trailer {
        return Err(Damage::Digest);
    }
    let mut reader = Reader::default();
    Database::open(source, body)?.walk(&mut reader)?;
    let contents = reader.contents().map_err(Damage::Foreign)?;
    hasher.update(trailer);
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Verified { bytes: size, sha256, contents })
}
