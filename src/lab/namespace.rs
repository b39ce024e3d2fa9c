//! Network namespaces: running code in the lab's.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};

use super::LabError;

/// A named network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Namespace {
    name: String,
}

impl Namespace {
    pub(super) fn new(name: String) -> Self {
        Self { name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    pub(super) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// What tells it from every other namespace; none when it is not there.
    pub(super) fn inode(&self) -> Option<u64> {
        std::fs::metadata(self.path()).ok().map(|metadata| metadata.ino())
    }

    /// Moves the calling thread into the namespace; threads and processes that it starts are in it, too.
    pub(super) fn enter(&self) -> Result<(), LabError> {
        let path = self.path();
        let file = File::open(&path).map_err(LabError::file("open the network namespace", &path))?;
        setns(file, CloneFlags::CLONE_NEWNET)
            .map_err(LabError::system(format!("enter the network namespace {}", self.name)))
    }

    /// Runs `work` on a thread inside the namespace.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| self.enter().map(|()| work()));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
