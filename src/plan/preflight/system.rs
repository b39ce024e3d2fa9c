//! Checks of what a host is: its init, processor, kernel, memory.

use super::{Found, Subject};
use crate::cluster::Role;
use crate::desired::kernel::release::Release;

pub(super) fn init(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|_, facts| {
        (facts.systemd == 0).then(|| {
            ("systemd is not process 1".into(), "kubewright needs systemd; install a distribution that has it".into())
        })
    })
}

pub(super) fn architecture(subject: &Subject<'_>) -> Vec<Found> {
    let wanted = subject.image.architecture.machine();
    subject.each(|_, facts| {
        (facts.arch != wanted).then(|| {
            let message = format!("the host is {}, the cluster image is for {wanted}", facts.arch);
            (message, "take the host out of the inventory".into())
        })
    })
}

/// What kubeadm asks for: 4.19 from 1.32 on, 3.10 before.
pub(super) fn kernel(subject: &Subject<'_>) -> Vec<Found> {
    let minor = subject.image.kubernetes.minor;
    let wanted = if minor >= 32 { Release(4, 19) } else { Release(3, 10) };
    subject.each(|host, facts| {
        let release = Release::parse(&facts.kernel)?;
        (host.roles.is_node() && release < wanted).then(|| {
            let message = format!("the kernel is {}; Kubernetes 1.{minor} wants {wanted}", facts.kernel);
            (message, "install a newer kernel and reboot, or use an image of an older version".into())
        })
    })
}

pub(super) fn cgroup(subject: &Subject<'_>) -> Vec<Found> {
    let minor = subject.image.kubernetes.minor;
    subject.each(|host, facts| {
        (host.roles.is_node() && facts.cgroup_version == 1 && minor >= 35).then(|| {
            let message = format!("the host has cgroup v1; the kubelet of 1.{minor} refuses it");
            (message, "boot with systemd.unified_cgroup_hierarchy=1, or use an image up to 1.34".into())
        })
    })
}

pub(super) fn modules(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        let missing = subject.measured.missing_modules.get(&host.name).filter(|missing| !missing.is_empty())?;
        let message = format!("the kernel {} has no module {}", facts.kernel, missing.join(", "));
        Some((message, "install the kernel's extra modules, or boot a kernel that has them".into()))
    })
}

pub(super) fn cpus(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        (host.roles.contains(Role::ControlPlane) && facts.cpus < 2).then(|| {
            let message = format!("the host has {} CPU; a control plane wants 2", facts.cpus);
            (message, "it will be slow: give it a second CPU, or take it for trials only".into())
        })
    })
}

pub(super) fn memory(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        let need: u64 = if host.roles.contains(Role::ControlPlane) { 1700 << 20 } else { 700 << 20 };
        (facts.memory < need).then(|| {
            let message =
                format!("the host has {} MiB of memory; its roles need {} MiB", facts.memory >> 20, need >> 20);
            (message, "add memory, or give the host fewer roles".into())
        })
    })
}
