//! The host's store of blobs: complete ones by their SHA-256, unfinished ones with `.part` behind it. Only a
//! verified blob is renamed to its final name, so a name is proof of its content.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use aws_lc_rs::digest::{Context, SHA256};

use super::atomic::sync_directory;
use super::machine::{Machine, STATE, found};
use super::protocol::Failure;
use crate::image::Blob;

/// Where the blobs are.
pub(super) fn store() -> String {
    format!("{STATE}/blobs/sha256")
}

/// Digest as 64 hexadecimal digits.
fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digest of bytes at hand.
#[cfg(test)]
pub(super) fn sha256(content: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&SHA256, content).as_ref())
}

/// Where a complete blob is; a digest that is none would be a path to anywhere.
pub(super) fn path(machine: &Machine, blob: &Blob) -> Result<PathBuf, Failure> {
    let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    if blob.sha256.len() == 64 && blob.sha256.chars().all(digit) {
        return Ok(machine.root.at(format!("{}/{}", store(), blob.sha256)));
    }
    Err(Failure::new(title(blob), "its digest is not 64 lower-case hexadecimal digits"))
}

fn part(machine: &Machine, blob: &Blob) -> Result<PathBuf, Failure> {
    Ok(path(machine, blob)?.with_extension("part"))
}

fn title(blob: &Blob) -> String {
    format!("blob sha256:{}", blob.sha256)
}

/// How much of each blob is there: its full size when it is complete, less when it is not.
pub(super) fn have(machine: &Machine, blobs: &[Blob]) -> Result<BTreeMap<String, u64>, Failure> {
    let mut have = BTreeMap::new();
    for blob in blobs {
        let failed = |error| Failure::new(title(blob), error);
        let length = |path| found(fs::metadata(path)).map(|meta| meta.map(|meta| meta.len()));
        let complete = length(path(machine, blob)?).map_err(failed)?;
        let size = match length(part(machine, blob)?).map_err(failed)? {
            _ if complete == Some(blob.size) => blob.size,
            // All of it came, but the run was killed before it was verified.
            Some(size) if size >= blob.size => {
                Receiver::resume(machine, blob).and_then(Receiver::finish).map_or(0, |()| blob.size)
            }
            partly => partly.unwrap_or(0),
        };
        have.insert(blob.sha256.clone(), size);
    }
    Ok(have)
}

/// A blob on its way into the store.
pub(super) struct Receiver {
    blob: Blob,
    part: PathBuf,
    target: PathBuf,
    file: File,
    hash: Context,
    written: u64,
}

impl Receiver {
    /// Goes on at `offset`, which is what [`have`] said; 0 starts over.
    pub(super) fn new(machine: &Machine, blob: &Blob, offset: u64) -> Result<Self, Failure> {
        machine.own_directory(&store())?;
        if offset == 0 {
            let part = part(machine, blob)?;
            found(fs::remove_file(&part)).map_err(|error| Failure::new(title(blob), error))?;
        }
        let receiver = Self::resume(machine, blob)?;
        if receiver.written == offset && offset <= blob.size {
            return Ok(receiver);
        }
        let why = format!("{} bytes of it are there, so it cannot go on at {offset}", receiver.written);
        Err(Failure::new(title(blob), why).hint("run the same command again: it begins by asking what is there"))
    }

    /// What is there already is hashed again: it may have been written by a run that was killed.
    fn resume(machine: &Machine, blob: &Blob) -> Result<Self, Failure> {
        let (part, target) = (part(machine, blob)?, path(machine, blob)?);
        let failed = |error| Failure::new(title(blob), error);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part);
        let mut file = options.map_err(failed)?;
        let mut hash = Context::new(&SHA256);
        let written = io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(failed)?;
        file.seek(SeekFrom::Start(written)).map_err(failed)?;
        Ok(Self { blob: blob.clone(), part, target, file, hash, written })
    }

    /// Whether all of it is there.
    pub(super) fn is_complete(&self) -> bool {
        self.written >= self.blob.size
    }

    /// The next piece.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if self.written + piece.len() as u64 > self.blob.size {
            let why = format!("more than its {} bytes came", self.blob.size);
            return Err(Failure::new(title(&self.blob), why));
        }
        if let Err(error) = self.file.write_all(piece) {
            let failure = Failure::writing(title(&self.blob), &error, &self.part);
            // A host must not be left with a full disk; what is lost is only time.
            let _ = fs::remove_file(&self.part);
            return Err(failure);
        }
        self.hash.update(piece);
        self.written += piece.len() as u64;
        Ok(())
    }

    /// Verifies it, and only then gives it its name.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let found = hex(self.hash.finish().as_ref());
        if found != self.blob.sha256 || self.written != self.blob.size {
            let _ = fs::remove_file(&self.part);
            let why = format!("what arrived is sha256:{found}, {} bytes instead of {}", self.written, self.blob.size);
            let hint = "it was damaged on its way or at its source; verify the cluster image and run again";
            return Err(Failure::new(title(&self.blob), why).hint(hint));
        }
        let settle = || -> io::Result<()> {
            self.file.sync_all()?;
            fs::rename(&self.part, &self.target)?;
            sync_directory(self.target.parent().unwrap_or(&self.target))
        };
        settle().map_err(|error| Failure::writing(title(&self.blob), &error, &self.part))
    }
}

struct HashWriter<'a>(&'a mut Context);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that hashes what passes through it.
pub(super) struct HashReader<R> {
    inner: R,
    hash: Context,
}

impl<R: Read> HashReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Context::new(&SHA256) }
    }

    /// Reads to the end and returns the digest of everything.
    pub(super) fn digest(mut self) -> io::Result<String> {
        let mut buffer = vec![0; 64 << 10];
        while self.read(&mut buffer)? > 0 {}
        Ok(hex(self.hash.finish().as_ref()))
    }
}

impl<R: Read> Read for HashReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::*;

    fn blob(content: &[u8]) -> Blob {
        Blob { sha256: sha256(content), size: content.len() as u64 }
    }

    #[test]
    fn a_blob_comes_in_pieces_and_an_interrupted_one_goes_on() {
        let host = Scripted::new();
        let blob = blob(b"hello world");
        let have = || super::have(&host.machine, std::slice::from_ref(&blob)).unwrap()[&blob.sha256];
        assert_eq!(have(), 0);
        let mut receiver = Receiver::new(&host.machine, &blob, 0).unwrap();
        receiver.piece(b"hello").unwrap();
        drop(receiver);
        assert_eq!(have(), 5);
        let why = Receiver::new(&host.machine, &blob, 3).err().unwrap();
        assert!(why.to_string().contains("5 bytes of it are there"), "{why}");
        let mut receiver = Receiver::new(&host.machine, &blob, 5).unwrap();
        receiver.piece(b" world").unwrap();
        assert!(receiver.is_complete());
        receiver.finish().unwrap();
        assert_eq!(have(), 11);
        assert_eq!(fs::read(path(&host.machine, &blob).unwrap()).unwrap(), b"hello world");
        assert!(!part(&host.machine, &blob).unwrap().exists());
    }

    #[test]
    fn a_run_killed_before_the_verification_is_mended_by_looking() {
        let host = Scripted::new();
        let (good, bad) = (blob(b"good"), blob(b"nice"));
        for blob in [&good, &bad] {
            let mut receiver = Receiver::new(&host.machine, blob, 0).unwrap();
            receiver.piece(b"good").unwrap();
        }
        let have = have(&host.machine, &[good.clone(), bad.clone()]).unwrap();
        assert_eq!((have[&good.sha256], have[&bad.sha256]), (4, 0));
        assert!(path(&host.machine, &good).unwrap().exists());
        assert!(!part(&host.machine, &bad).unwrap().exists());
    }

    #[test]
    fn a_damaged_blob_never_gets_its_name() {
        let host = Scripted::new();
        let blob = blob(b"good");
        let mut receiver = Receiver::new(&host.machine, &blob, 0).unwrap();
        receiver.piece(b"evil").unwrap();
        let failure = receiver.finish().unwrap_err();
        assert!(failure.to_string().contains(&blob.sha256) && failure.hint.is_some(), "{failure}");
        assert!(!part(&host.machine, &blob).unwrap().exists() && !path(&host.machine, &blob).unwrap().exists());
        let mut receiver = Receiver::new(&host.machine, &blob, 0).unwrap();
        assert!(receiver.piece(b"too long").unwrap_err().to_string().contains("more than its 4 bytes"));
    }

    #[test]
    fn a_digest_is_not_a_path() {
        let host = Scripted::new();
        for sha256 in ["../../etc/passwd".to_owned(), "A".repeat(64), String::new()] {
            assert!(have(&host.machine, &[Blob { sha256, size: 1 }]).is_err());
        }
    }
}
