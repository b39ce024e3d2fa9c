//! Where snapshots are kept. Each target writes beside, verifies, and only then gives a snapshot its name; it prunes
//! nothing but what it wrote itself.

mod bucket;
mod credentials;
mod directory;
mod found;
mod part;
mod spool;
mod target;
#[cfg(test)]
pub(in crate::snapshot) mod testing;

pub use directory::{Directory, manifest_beside};
pub use found::{Found, PassedOver};
pub use spool::{Ready, Spool, path_of};
pub use target::{Delivery, Kept, Target};

use thiserror::Error;

use super::Damage;
use crate::cluster::Bytes;

/// Why a target does not have what it should.
#[derive(Debug, Error)]
pub enum TargetError {
    /// It cannot be used.
    #[error("{what}: {why}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        why: std::io::Error,
    },
    /// It has no room.
    #[error(
        "{path}: {} are needed, and {} are free; free some there, or name another place",
        Bytes(*.needed), Bytes(*.free)
    )]
    Full {
        /// The directory.
        path: String,
        /// What it takes, in bytes.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// It ended without a word.
    #[error("writing it has ended early: {0}")]
    Thread(String),
    /// An object store did not do what it was asked for.
    #[error("{what}: {why}")]
    Store {
        /// What it was asked for.
        what: String,
        /// What came back.
        why: String,
    },
    /// It is not there any more.
    #[error("{what}: it is not there")]
    Gone {
        /// What was tried.
        what: String,
    },
    /// What was written is not what is read.
    #[error("{what}: what is read back is not what was written; nothing that is older was removed")]
    Changed {
        /// Where.
        what: String,
    },
    /// Somebody else is writing the same file.
    #[error("{0}: another run is writing it")]
    Busy(String),
    /// What came is not a whole snapshot.
    #[error("what came from the member is not whole: {0}")]
    Damaged(Damage),
    /// What came is older than what the member had.
    #[error("it ends at revision {found}, and the member was at revision {least} before it began")]
    Old {
        /// Revision in the file.
        found: u64,
        /// The member's before.
        least: u64,
    },
}

impl TargetError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |why| Self::Io { what, why }
    }
}
