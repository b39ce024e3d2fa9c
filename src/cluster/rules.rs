//! The rules that span several nouns. Each returns all of its violations; none stops at the first.

use super::Parts;

/// A broken rule, at a place of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Index in [`Parts::hosts`] when one host is at fault.
    pub host: Option<usize>,
    /// Field below that host, or below `spec`: `address`, `network.podCidr`, `hosts`, ….
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

pub(super) fn check(_parts: &Parts) -> Vec<Violation> {
    Vec::new()
}
