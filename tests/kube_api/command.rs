//! The door to processes of these tests: the daemons that they run.

use std::path::Path;
// The library's door serves the host agent; a daemon of a test needs neither its timeouts nor its records.
#[allow(clippy::disallowed_methods)]
pub(crate) fn command(program: &Path) -> std::process::Command {
    std::process::Command::new(program)
}
