//! How failures are made: each names what was tried, what came back and, where it is known, what to do next.

use std::fmt::Display;
use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use serde::{Deserialize, Serialize};

use super::command::CommandError;

/// A failed request: all that the operator needs, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Failure {
    /// Step: resource or request, and the command where one ran.
    pub what: String,
    /// What came back: the error, the tail of standard error.
    pub why: String,
    /// What to do next, where that is known.
    pub hint: Option<String>,
}

impl Failure {
    /// `what` was tried and `why` came back.
    pub fn new(what: impl Into<String>, why: impl Display) -> Self {
        Self { what: what.into(), why: why.to_string(), hint: None }
    }

    /// The same with what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A command that `what` needed.
    pub(super) fn command(what: &str, error: &CommandError) -> Self {
        let hint = error.hint();
        Self { what: format!("{what}: {}", error.argv()), why: error.reason(), hint }
    }

    /// Writing below `path` failed; a full disk is told with what is left of it.
    pub(super) fn writing(what: impl Into<String>, error: &io::Error, path: &Path) -> Self {
        let failure = Self::new(what, error);
        if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return failure;
        }
        let free = free(path).unwrap_or(0);
        let path = path.display();
        failure.hint(format!("free some space on the file system of {path}: {} MiB are left there", free >> 20))
    }

    /// Refuses to write `needed` bytes below `directory` where that would fill a disk which everything else on the host
    /// needs.
    pub(super) fn unless_room(what: &str, directory: &Path, needed: u64) -> Result<(), Self> {
        let Some(free) = free(directory).filter(|free| *free < needed) else { return Ok(()) };
        let why = format!("it needs {} MiB, and {} MiB are free", needed >> 20, free >> 20);
        Err(Self::new(what, why).hint(format!("free some space on the file system of {}", directory.display())))
    }

    /// Several failures as one: an operator gets all of them at once.
    pub(super) fn all(mut failures: Vec<Self>) -> Option<Self> {
        if failures.len() < 2 {
            return failures.pop();
        }
        let why = failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let mut hints: Vec<String> = failures.iter().filter_map(|failure| failure.hint.clone()).collect();
        hints.dedup();
        let hint = (!hints.is_empty()).then(|| hints.join("\n"));
        Some(Self { what: format!("{} failures", failures.len()), why, hint })
    }
}

/// Bytes that are free below `path`; none where nobody can tell.
fn free(path: &Path) -> Option<u64> {
    statvfs(path).ok().map(|stat| stat.blocks_available() * stat.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_failures_become_one_that_names_all() {
        assert_eq!(Failure::all(vec![]), None);
        let one = Failure::new("file /a", "denied");
        assert_eq!(Failure::all(vec![one.clone()]), Some(one.clone()));
        let all = Failure::all(vec![one, Failure::new("file /b", "gone").hint("mount it")]).unwrap();
        assert_eq!(all.to_string(), "2 failures: file /a: denied\nfile /b: gone");
        assert_eq!(all.hint.as_deref(), Some("mount it"));
    }

    #[test]
    fn a_disk_that_is_too_small_is_not_filled() {
        let directory = tempfile::tempdir().unwrap();
        let failure = Failure::unless_room("snapshot x", directory.path(), u64::MAX / 2).unwrap_err();
        assert!(failure.why.contains("MiB are free"), "{failure}");
        assert!(Failure::unless_room("snapshot x", directory.path(), 1).is_ok());
    }
}
