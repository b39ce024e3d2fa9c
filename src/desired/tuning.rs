//! Settings that the kernel forgets at a reboot, as data: files of sysfs, and the program that sets them again.

use serde::{Deserialize, Serialize};

/// A file of sysfs, or many of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Absolute path; one part of it may hold one `*`. Where there is no such file, there is nothing to set.
    pub path: String,
    /// What it should hold.
    pub value: String,
    /// What is as good.
    pub accepts: Vec<String>,
    /// What to do where the kernel does not take it.
    pub hint: String,
    /// Units that must see a change.
    pub restarts: Vec<String>,
}

/// The agent's own program, at a path that stays the same over versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Absolute path.
    pub path: String,
}
