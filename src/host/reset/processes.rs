//! Kills what containers have left running. containerd leaves its shims and their containers alone when it stops, so
//! they are found by what they are: programs from our directory, everything below them, and members of pod cgroups.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use super::super::machine::Machine;
use super::super::proc;
use super::super::protocol::{Action, Failure};
use super::Work;
use crate::desired::state::Part;

const PROGRAMS: &str = "/opt/kubewright/";
const ROUNDS: u32 = 50;

pub(super) fn kill(work: &mut Work) {
    let first = work.look(remaining(work.machine));
    if first.is_empty() {
        return;
    }
    let summary = format!("{} processes killed", first.len());
    work.step(Part::Kubelet, "containers", Action::Stop, summary, |machine| {
        for _ in 0..ROUNDS {
            let left = remaining(machine)?;
            if left.is_empty() {
                return Ok(());
            }
            for pid in left {
                let killed = machine.system.kill(pid);
                killed.map_err(|error| Failure::new(format!("killing process {pid} of a container"), error))?;
            }
            machine.system.pause(Duration::from_millis(200));
        }
        let left: Vec<String> = remaining(machine)?.iter().map(ToString::to_string).collect();
        let why = format!("still there after {ROUNDS} rounds: {}", left.join(", "));
        Err(Failure::new("killing the processes of containers", why).hint("reboot the host and reset it again"))
    });
}

struct Process {
    parent: i32,
    ours: bool,
}

fn remaining(machine: &Machine) -> Result<BTreeSet<i32>, Failure> {
    let mut processes = BTreeMap::new();
    for pid in machine.names("/proc")?.into_iter().filter_map(|name| name.parse::<i32>().ok()) {
        if let Some(process) = look(machine, pid) {
            processes.insert(pid, process);
        }
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let spared = line_of(&processes, own);
    let ours = |pid: i32| line_of(&processes, pid).iter().any(|above| processes.get(above).is_some_and(|p| p.ours));
    Ok(processes.keys().copied().filter(|pid| !spared.contains(pid) && ours(*pid)).collect())
}

/// A process that ends while it is looked at is none; so is a zombie, which is dead already.
fn look(machine: &Machine, pid: i32) -> Option<Process> {
    let stat = machine.text(&format!("/proc/{pid}/stat")).ok().flatten()?;
    if stat.rsplit_once(") ")?.1.starts_with('Z') {
        return None;
    }
    let program = fs::read_link(machine.root.at(format!("/proc/{pid}/exe")));
    let cgroup = machine.text(&format!("/proc/{pid}/cgroup")).ok().flatten().unwrap_or_default();
    let ours = program.is_ok_and(|program| program.starts_with(PROGRAMS)) || is_pod(&cgroup);
    Some(Process { parent: proc::parent(&stat)?, ours })
}

/// `0::/kubepods.slice/…`, or `…/kubepods/…` without systemd's slices.
fn is_pod(cgroup: &str) -> bool {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.flat_map(|path| path.split('/')).any(|part| part == "kubepods" || part == "kubepods.slice")
}

/// A process and everything above it, up to process 1, which is not part of it.
fn line_of(processes: &BTreeMap<i32, Process>, pid: i32) -> BTreeSet<i32> {
    let mut line = BTreeSet::new();
    let mut at = pid;
    while at > 1 && line.insert(at) {
        at = processes.get(&at).map_or(0, |process| process.parent);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn only_containers_and_our_programs_are_found() {
        let host = Scripted::new();
        for (pid, parent, program, cgroup) in [
            (1, 0, "/usr/lib/systemd/systemd", "0::/init.scope"),
            (10, 1, "/usr/sbin/sshd", "0::/system.slice/ssh.service"),
            (
                20,
                1,
                "/opt/kubewright/containerd/1.6/bin/containerd-shim-runc-v2",
                "0::/system.slice/containerd.service",
            ),
            (21, 20, "/pause", "0::/elsewhere"),
            (22, 21, "/bin/sh", "0::/elsewhere"),
            (30, 1, "/app", "0::/kubepods.slice/kubepods-burstable.slice/x.scope"),
            (31, 1, "/app", "12:cpu:/kubepods/besteffort/podx\n1:name=systemd:/x"),
            (40, 1, "/usr/bin/editor", "0::/user.slice/kubepods-notes.scope"),
            (50, 1, "/opt/kubewright-other/x", "0::/x"),
        ] {
            host.put(&format!("/proc/{pid}/stat"), &format!("{pid} (na me) S {parent} 1 1"));
            host.put(&format!("/proc/{pid}/cgroup"), cgroup);
            symlink(program, host.at(&format!("/proc/{pid}/exe"))).unwrap();
        }
        host.put("/proc/60/stat", "60 (dead) Z 20 1 1");
        assert_eq!(remaining(&host.machine).unwrap(), BTreeSet::from([20, 21, 22, 30, 31]));
    }

    #[test]
    fn this_process_and_what_started_it_are_spared() {
        let host = Scripted::new();
        let own = i32::try_from(std::process::id()).unwrap();
        for (pid, parent) in [(own, 3), (3, 2), (2, 1), (4, 3)] {
            host.put(&format!("/proc/{pid}/stat"), &format!("{pid} (x) S {parent} 1"));
            host.put(&format!("/proc/{pid}/cgroup"), "0::/x");
            symlink("/opt/kubewright/x", host.at(&format!("/proc/{pid}/exe"))).unwrap();
        }
        assert_eq!(remaining(&host.machine).unwrap(), BTreeSet::from([4]));
    }
}
