//! Programs that a host may have, or that the cluster image brought.

use std::path::{Path, PathBuf};

use super::command::{Command, find};
use super::machine::Machine;

const HOST_TOOLS: &str = "/opt/kubewright/host-tools";
const USUAL: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A program of the host, or of the cluster image where the host has none.
pub(super) fn tool(machine: &Machine, program: &str) -> Command {
    brought(machine).into_iter().fold(Command::new(program), Command::also_in)
}

/// Whether [`tool`] would find it.
pub(super) fn has_tool(machine: &Machine, program: &str) -> bool {
    let directories: Vec<PathBuf> =
        USUAL.into_iter().map(|directory| machine.root.at(directory)).chain(brought(machine)).collect();
    find(program, directories.iter().map(PathBuf::as_path)).is_some()
}

fn brought(machine: &Machine) -> Vec<PathBuf> {
    let versions = machine.names(HOST_TOOLS).unwrap_or_default();
    let versions = versions.into_iter().filter(|name| !name.starts_with('.'));
    versions.map(|version| machine.root.at(Path::new(HOST_TOOLS).join(version).join("bin"))).collect()
}
