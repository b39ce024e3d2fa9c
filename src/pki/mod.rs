//! Keys and certificates: the only source of secrets. No I/O beside the local state directory.
//!
//! [`table`] says which certificates there are; [`resolve()`] keeps what is good of what was found on the hosts and issues
//! the rest; [`Store`] is the cache on this machine.

mod agree;
mod archive;
mod authority;
mod error;
#[cfg(test)]
mod fixtures;
mod issue;
mod keys;
mod kubeconfig;
mod leaves;
mod read;
mod resolve;
mod run;
mod san;
mod service_account;
mod shared;
mod signer;
mod store;
pub mod table;
mod verify;

pub use agree::Place;
pub use archive::Archive;
pub use error::{NeedsKey, PkiError};
pub use keys::{Existing, Identity, KeyFile, KeyOwner, Keys, Note};
pub use read::certificates;
pub use resolve::resolve;
pub use run::RunAuthority;
pub use san::San;
pub use store::{Store, StoreError};
pub use table::paths;
pub use verify::Renewal;
