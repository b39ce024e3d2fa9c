//! The keys that we may log in with.

mod candidates;
mod key_file;
mod keyring;
mod signer;

pub(super) use candidates::{Agent, Candidate, candidates};
pub(super) use keyring::Keyring;
pub(super) use signer::{SignError, Signing};
