//! Which pods run a program, as the kernel has it. The API hears of a new static pod up to a minute later.

use std::collections::BTreeSet;

use super::super::machine::Machine;
use super::super::protocol::{Failure, Probed};

pub(super) fn running(machine: &Machine, program: &str) -> Result<Probed, Failure> {
    of(machine, program).map(|uids| Probed::Pods { uids })
}

/// UIDs of the pods that run `program`, which is at most 15 bytes long: the kernel keeps no more of a name.
pub(in super::super) fn of(machine: &Machine, program: &str) -> Result<BTreeSet<String>, Failure> {
    Ok(processes(machine, program)?.into_iter().map(|(_, uid)| uid).collect())
}

/// Processes of pods that run `program`, with the UID of each one's pod.
pub(in super::super) fn processes(machine: &Machine, program: &str) -> Result<Vec<(i32, String)>, Failure> {
    let pod = |pid: String| {
        let runs = read(machine, &pid, "comm")?.trim_end() == program;
        let uid = runs.then(|| uid(&read(machine, &pid, "cgroup")?)).flatten()?;
        Some((pid.parse().ok()?, uid))
    };
    Ok(pids(machine)?.filter_map(pod).collect())
}

/// Some process of the pod with this UID.
pub(super) fn process_of(machine: &Machine, wanted: &str) -> Result<Option<i32>, Failure> {
    let of_pod =
        |pid: &String| read(machine, pid, "cgroup").and_then(|cgroup| uid(&cgroup)).is_some_and(|uid| uid == wanted);
    Ok(pids(machine)?.find(of_pod).and_then(|pid| pid.parse().ok()))
}

fn pids(machine: &Machine) -> Result<impl Iterator<Item = String>, Failure> {
    Ok(machine.names("/proc")?.into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())))
}

/// A file of a process; one that ends while it is looked at has none.
fn read(machine: &Machine, pid: &str, file: &str) -> Option<String> {
    machine.text(&format!("/proc/{pid}/{file}")).ok().flatten()
}

/// The pod's UID in `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/…`, where it has
/// underscores for dashes, or in `…/kubepods/burstable/podUID/…`.
fn uid(cgroup: &str) -> Option<String> {
    const LENGTH: usize = 32;
    let uid = |part: &str| {
        let (_, uid) = part.strip_suffix(".slice").unwrap_or(part).rsplit_once("pod")?;
        let fits = uid.len() >= LENGTH && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || b"-_".contains(&byte));
        fits.then(|| uid.replace('_', "-"))
    };
    cgroup.split(['/', '\n']).find_map(uid)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    const STATIC: &str = "5883a03d536242f06f30697dce99ffe7";

    #[test]
    fn a_pod_is_known_by_its_cgroup_with_either_driver() {
        let plain = "0a1b2c3d-1111-2222-3333-444455556666";
        let (slice, dashes) =
            ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod", plain.replace('-', "_"));
        for (cgroup, expected) in [
            (format!("0::{slice}{STATIC}.slice/cri-containerd-aa.scope\n"), Some(STATIC)),
            (format!("0::{slice}{dashes}.slice/cri-containerd-aa.scope\n"), Some(plain)),
            (format!("4:cpu:/kubepods/burstable/pod{STATIC}/aa\n1:name=systemd:/x\n"), Some(STATIC)),
            (format!("0::/kubepods/pod{plain}/aa\n"), Some(plain)),
            ("0::/kubepods.slice/kubepods-besteffort.slice/x.scope\n".to_owned(), None),
            ("0::/system.slice/kubelet.service\n".to_owned(), None),
        ] {
            assert_eq!(uid(&cgroup).as_deref(), expected, "{cgroup}");
        }
    }

    #[test]
    fn only_pods_of_the_program_are_told() {
        let host = Scripted::new();
        let process = |pid: u32, program: &str, cgroup: &str| {
            host.put(&format!("/proc/{pid}/comm"), &format!("{program}\n"));
            host.put(&format!("/proc/{pid}/cgroup"), cgroup);
        };
        process(10, "kube-apiserver", &format!("0::/kubepods/burstable/pod{STATIC}/aa\n"));
        process(11, "kube-scheduler", "0::/kubepods/burstable/pod00000000000000000000000000000000/aa\n");
        process(12, "kube-apiserver", "0::/user.slice\n");
        host.put("/proc/uptime", "1 1\n");
        let told = running(&host.machine, "kube-apiserver").unwrap();
        assert_eq!(told, Probed::Pods { uids: [STATIC.to_owned()].into() });
    }
}
