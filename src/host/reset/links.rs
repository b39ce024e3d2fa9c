//! Deletes the network interfaces that pods and service addresses lived on.

use std::path::{Path, PathBuf};

use super::super::command::{Command, find};
use super::super::machine::Machine;
use super::super::protocol::Action;
use super::Work;
use crate::desired::state::Part;

const NAMES: [&str; 5] = ["cni0", "kube-ipvs0", "nodelocaldns", "vxlan.calico", "flannel.1"];
const PREFIXES: [&str; 2] = ["kubewright", "cali"];

pub(super) fn delete(work: &mut Work) {
    let links = work.look(work.machine.names("/sys/class/net"));
    let ours =
        |name: &&String| NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    for name in links.iter().filter(ours) {
        let resource = format!("link {name}");
        work.step(Part::Network, &resource, Action::Remove, "deleted", |machine| {
            let command = tool(machine, "ip").args(["link", "delete", "dev", name]);
            Work::run(machine, &resource, &command)
        });
    }
}

/// A program of the host, or of the cluster image's own tools.
pub(super) fn tool(machine: &Machine, program: &str) -> Command {
    directories(machine).into_iter().fold(Command::new(program), Command::also_in)
}

/// Whether [`tool`] would find it.
pub(super) fn has_tool(machine: &Machine, program: &str) -> bool {
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let usual = usual.map(|directory| machine.root.at(directory));
    let all: Vec<PathBuf> = usual.into_iter().chain(directories(machine)).collect();
    find(program, all.iter().map(PathBuf::as_path)).is_some()
}

fn directories(machine: &Machine) -> Vec<PathBuf> {
    let tools = Path::new("/opt/kubewright/host-tools");
    let versions = machine.names("/opt/kubewright/host-tools").unwrap_or_default();
    let versions = versions.into_iter().filter(|name| !name.starts_with('.'));
    versions.flat_map(|version| ["bin", "sbin"].map(|bin| machine.root.at(tools.join(&version).join(bin)))).collect()
}
