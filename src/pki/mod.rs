//! Keys and certificates: the only source of secrets. No I/O beside the local state directory.

mod keys;

pub use keys::{Existing, Identity, KeyFile, KeyOwner, Keys};
