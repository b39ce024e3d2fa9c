//! Snapshots of etcd: what such a file is, whether it could be restored, and which of them are kept where. Looked at
//! without etcd, so that a snapshot is known to be whole before anybody needs it. Nothing here takes one from a member, or
//! restores it, and only `store` writes.

mod bolt;
mod contents;
mod file;
mod manifest;
mod retention;
mod store;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use bolt::{Damage as DatabaseDamage, Source};
pub use contents::Contents;
pub use file::{Damage, Verified, verify};
pub use manifest::{Manifest, Origin};
pub use retention::{Keep, Taken};
pub use store::{Directory, Kept, Part, TargetError, manifest_beside};
