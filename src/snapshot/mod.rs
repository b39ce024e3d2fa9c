//! Snapshots of etcd: what such a file is, and whether it could be restored. Looked at without etcd, so that a snapshot is
//! known to be whole before anybody needs it. Nothing here takes one, or writes.

mod bolt;
mod contents;
mod file;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use bolt::{Damage as DatabaseDamage, Source};
pub use contents::Contents;
pub use file::{Damage, Verified, verify};
