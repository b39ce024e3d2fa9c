//! A snapshot while it comes, and the file that goes to every place once it is whole.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::super::{Verified, verify};
use super::TargetError;
use super::part::Part;
use crate::image::{Blob, Hashing};

/// What a snapshot is written to as it comes from a member.
#[derive(Debug)]
pub enum Spool {
    /// In the directory that keeps it: naming it is all that is left to do there.
    Part(Part),
    /// A file without a name, which goes with whoever writes it.
    Nameless(File, u64),
}

impl Spool {
    /// Begins one in `directory`.
    pub fn nameless(directory: &Path) -> Result<Self, TargetError> {
        let file = tempfile::tempfile_in(directory);
        let file = file.map_err(TargetError::io(format!("creating a file in {}", directory.display())))?;
        Ok(Self::Nameless(file, 0))
    }

    /// Adds a piece.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), TargetError> {
        match self {
            Self::Part(part) => part.write(piece),
            Self::Nameless(file, bytes) => {
                *bytes += piece.len() as u64;
                file.write_all(piece).map_err(TargetError::io("writing a temporary file"))
            }
        }
    }

    /// Proves that all of a snapshot is there, and reaches `least`, a revision.
    pub fn verify(&self, least: u64) -> Result<Verified, TargetError> {
        let (file, bytes) = match self {
            Self::Part(part) => {
                part.sync()?;
                (part.file(), part.bytes())
            }
            Self::Nameless(file, bytes) => (file, *bytes),
        };
        let whole = verify(file, bytes).map_err(TargetError::Damaged)?;
        let found = whole.contents.revision;
        if found < least { Err(TargetError::Old { found, least }) } else { Ok(whole) }
    }

    /// What goes to the places, as it is.
    pub fn ready(self, sha256: String) -> Result<Ready, TargetError> {
        match self {
            Self::Part(part) => {
                let file = part.file().try_clone().map_err(TargetError::io("reading what has come"))?;
                Ok(Ready { bytes: part.bytes(), file, sha256, home: Mutex::new(Some(part)) })
            }
            Self::Nameless(file, bytes) => Ok(Ready { file, bytes, sha256, home: Mutex::new(None) }),
        }
    }

    /// Where another program can read it, as long as this is there.
    pub fn path(&self) -> PathBuf {
        let file = match self {
            Self::Part(part) => part.file(),
            Self::Nameless(file, _) => file,
        };
        path_of(file)
    }

    /// Its content, from the beginning.
    pub fn reader(&self) -> Result<impl Read + Seek, TargetError> {
        let file = match self {
            Self::Part(part) => part.file(),
            Self::Nameless(file, _) => file,
        };
        let file = file.try_clone().map_err(TargetError::io("reading what has come"))?;
        Ok(Reader { file, at: 0 })
    }
}

/// Where others can open a file that may have no name, as long as it is open here.
pub fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
}

/// A file on its way to the places that keep it.
#[derive(Debug)]
pub struct Ready {
    file: File,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
    home: Mutex<Option<Part>>,
}

impl Ready {
    /// What `write` makes, in a file without a name in `directory`.
    pub fn made(directory: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Self, TargetError> {
        let failed = || TargetError::io(format!("writing a temporary file in {}", directory.display()));
        let mut hashing = Hashing::new(tempfile::tempfile_in(directory).map_err(failed())?);
        write(&mut hashing).map_err(failed())?;
        let (file, Blob { sha256, size }) = hashing.finish();
        Ok(Self { file, bytes: size, sha256, home: Mutex::new(None) })
    }

    /// Its content, from the beginning; any number of readers at a time.
    pub fn reader(&self) -> io::Result<impl Read + Send + use<>> {
        Ok(Reader { file: self.file.try_clone()?, at: 0 })
    }

    /// `length` bytes of it from `offset` on.
    pub fn piece(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; length];
        self.file.read_exact_at(&mut piece, offset)?;
        Ok(piece)
    }

    /// The file itself, for the directory that it is in already.
    pub(super) fn take_from(&self, directory: &Path) -> Option<Part> {
        let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        home.take_if(|part| part.is_in(directory))
    }
}

/// Reads without moving the place at which others read.
struct Reader {
    file: File,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let many = self.file.read_at(buffer, self.at)?;
        self.at += many as u64;
        Ok(many)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(by) => length.checked_add_signed(by),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"))?;
        Ok(self.at)
    }
}
