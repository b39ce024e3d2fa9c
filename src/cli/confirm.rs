//! Asks for the cluster's name before its data go: a slip of the finger must not be enough.

use std::io::{self, BufRead};

use crate::report;

/// Whether the operator types the name of `cluster`.
pub(super) fn is_typed(cluster: &str) -> io::Result<bool> {
    report::print_error(&format!("Type the cluster's name, {cluster}, to go on:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == cluster)
}
