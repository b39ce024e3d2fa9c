//! Snapshots of etcd: what such a file is, whether it could be restored, and which of them are kept where. Looked at
//! without etcd, so that a snapshot is known to be whole before anybody needs it. Nothing here decides whom to ask for one,
//! or restores it, and only `store` writes.

mod bolt;
mod contents;
mod file;
mod manifest;
mod retention;
mod schedule;
mod seal;
mod store;
mod take;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use bolt::{Damage as DatabaseDamage, Source};
pub use contents::Contents;
pub use file::{Damage, Verified, verify};
pub use manifest::{Manifest, Origin, Sealed, fingerprint, is_encrypted, is_snapshot};
pub use schedule::{Record, Schedule, Turn};
pub use seal::{check_recipient, unseal};
pub(crate) use seal::{seal, sealing};
pub use store::{
    Delivery, Directory, Found, Kept, PassedOver, Ready, Spool, Target, TargetError, manifest_beside, path_of,
};
pub use take::{Delivered, Order, Pki, TakeError, Taken, deliver, receive, scratch};
