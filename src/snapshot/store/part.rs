//! A snapshot, or its manifest, while it comes: a file with another name, locked as long as somebody writes it, so that what a killed run
//! left can be told from what another one is writing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::TargetError;
use crate::image::of_reader;

const ENDING: &str = ".part";

/// A file that is being written. Dropped unfinished, it goes.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    target: PathBuf,
    file: Flock<File>,
    bytes: u64,
    done: bool,
}

impl Part {
    /// Begins to write what will be `target`.
    pub(super) fn begin(target: PathBuf) -> Result<Self, TargetError> {
        let path = PathBuf::from(format!("{}{ENDING}", target.display()));
        let name = path.display().to_string();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(TargetError::io(format!("creating {name}")))?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| TargetError::Busy(name.clone()))?;
        file.set_len(0).map_err(TargetError::io(format!("writing {name}")))?;
        Ok(Self { path, target, file, bytes: 0, done: false })
    }

    /// Adds a piece.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), TargetError> {
        self.bytes += piece.len() as u64;
        let written = self.file.write_all(piece);
        written.map_err(TargetError::io(format!("writing {}", self.path.display())))
    }

    /// What has been written.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Its size.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of what is read back of it.
    pub(super) fn digest(&self) -> io::Result<String> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(of_reader(file)?.sha256)
    }

    /// Whether it will be in `directory`.
    pub(super) fn is_in(&self, directory: &Path) -> bool {
        self.target.parent() == Some(directory)
    }

    /// All of it is on the disk after this.
    pub(super) fn sync(&self) -> Result<(), TargetError> {
        self.file.sync_all().map_err(TargetError::io(format!("writing {}", self.path.display())))
    }

    /// Gives it its name, once it is on the disk.
    pub(super) fn settle(&mut self) -> Result<(), TargetError> {
        self.sync()?;
        rename(&self.path, &self.target).map_err(TargetError::io(format!("renaming {}", self.path.display())))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed now is swept by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what killed runs left in `directory` of files that `ours` tells.
pub(super) fn sweep(directory: &Path, ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(target) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) else { continue };
        if !ours(target) || !entry.file_type()?.is_file() {
            continue;
        }
        let file = File::open(entry.path())?;
        if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn rename(path: &Path, target: &Path) -> io::Result<()> {
    fs::rename(path, target)?;
    File::open(target.parent().unwrap_or(Path::new("/")))?.sync_all()
}
