//! One member of etcd over gRPC, for what has to stream: its snapshot. Everything else is asked of a member by the agent
//! on its own host (see `host/probe`). Nothing here knows of hosts or files.

mod connect;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;

use thiserror::Error;

pub use connect::{Identity, MemberClient};
pub use snapshot::SnapshotStream;

/// Why a member did not do what it was asked for.
#[derive(Debug, Error)]
pub enum EtcdError {
    /// A certificate or key of ours is not one.
    #[error("{what} cannot be used: {why}")]
    Identity {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// It could not be reached.
    #[error("it cannot be reached: {0}")]
    Connect(String),
    /// It refused, or was cut off.
    #[error("{code}: {message}")]
    Status {
        /// gRPC's word for it.
        code: String,
        /// Its own words.
        message: String,
    },
    /// It fell silent.
    #[error("nothing has come for {0} s")]
    Silent(u64),
}

impl From<tonic::Status> for EtcdError {
    fn from(status: tonic::Status) -> Self {
        Self::Status { code: status.code().description().to_owned(), message: status.message().to_owned() }
    }
}
