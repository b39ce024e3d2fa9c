//! What a helper needs to see of this host, without its secrets: they are struck out here, before anything leaves.
//! Reads only, and nothing but what [`sources`] lists.

mod journal;
mod pods;
mod secrets;
mod sources;
pub(crate) mod tail;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::protocol::Failure;
use crate::redact::{self, Known};

pub(super) use sources::names;

/// One source to collect.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collect {
    /// Its name, as the host has told it.
    pub source: String,
    /// How far logs go back.
    pub seconds: u64,
    /// Most bytes of it, the last ones.
    pub bytes: u64,
    /// What is struck out beside what the host itself knows as secrets.
    pub secrets: Secrets,
}

/// Values that are never shown.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(pub Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(secret)")
    }
}

/// The text of one source, without secrets.
pub(super) fn collect(machine: &Machine, wanted: &Collect) -> Result<String, Failure> {
    let text = sources::read(machine, wanted)?;
    let known = Known::of(secrets::values(machine)?.iter().chain(&wanted.secrets.0));
    // What colours a terminal may stand in the middle of anything.
    let plain: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    Ok(redact::text(&plain, &known))
}

#[cfg(test)]
mod tests;
