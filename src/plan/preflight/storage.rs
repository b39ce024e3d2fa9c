//! Checks of file systems and disks.

use std::time::Duration;

use super::{Found, Problem, Severity, Subject, mount_of};
use crate::cluster::{HostName, Role};

/// A compressed blob stays, and its unpacked files take about four times as much (twice for images: content store
/// and snapshot); half a gigabyte is left for logs and data.
const UNPACKED: u64 = 6;
const RESERVE: u64 = 512 << 20;
/// Files of all components and images of one host, with room to spare.
const INODES: u64 = 50_000;

pub(super) fn disk(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        let incoming = subject.incoming.get(&host.name).copied().unwrap_or(0);
        let mount = mount_of(facts, "/var/lib")?;
        let need = if incoming == 0 { 64 << 20 } else { incoming * UNPACKED + RESERVE };
        (mount.free < need).then(|| {
            let message = format!("{} has {} MiB free; {} MiB are needed", mount.path, mount.free >> 20, need >> 20);
            (message, format!("free space on {} or enlarge it", mount.path))
        })
    })
}

/// Told here, so that nothing is changed anywhere while one disk cannot be used. Whoever takes the finding for a warning
/// gains nothing: the host refuses such a disk, too.
pub(super) fn disks(subject: &Subject<'_>) -> Vec<Found> {
    let on_host = |(host, problems): (&HostName, &Vec<Problem>)| {
        let found = |problem: &Problem| Found {
            host: Some(host.clone()),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            severity: None,
        };
        problems.iter().map(found).collect::<Vec<_>>()
    };
    subject.measured.unusable_disks.iter().flat_map(on_host).collect()
}

pub(super) fn inodes(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        subject.incoming.get(&host.name).filter(|bytes| **bytes > 0)?;
        let mount = mount_of(facts, "/var/lib")?;
        // File systems that make inodes as they need them say that there are none at all.
        (mount.inodes > 0 && mount.inodes_free < INODES).then(|| {
            let message = format!("{} has {} inodes free; {INODES} are needed", mount.path, mount.inodes_free);
            (message, format!("remove small files from {}, or make the file system anew with more inodes", mount.path))
        })
    })
}

/// What runs from where.
const PROGRAMS: [(&str, &str); 3] =
    [("/opt", "programs"), ("/var/lib/kubewright", "the agent"), ("/var/lib/containerd", "containers")];

pub(super) fn mounts(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = subject.each(|_, facts| {
        let bad = |(path, what): &(&str, &str)| {
            let mount = mount_of(facts, path)?;
            let option =
                ["noexec", "ro"].into_iter().find(|option| mount.options.split(',').any(|one| one == *option))?;
            Some(format!("{what} cannot live in {path}: {} is mounted {option}", mount.path))
        };
        let bad: Vec<_> = PROGRAMS.iter().filter_map(bad).collect();
        (!bad.is_empty()).then(|| (bad.join("; "), "remount without that option, in /etc/fstab too".into()))
    });
    found.extend(limited(subject));
    found
}

/// What pods live on, and options that take something from them which few of them need.
const LIMITED: [(&str, &str, &str); 2] = [
    ("/var/lib/containerd", "nosuid", "programs in containers that become root by their mode (sudo, ping) do not"),
    ("/var/lib/kubelet", "nodev", "volumes that are block devices do not work"),
];

fn limited(subject: &Subject<'_>) -> Vec<Found> {
    let nodes = subject.hosts().filter(|(host, _)| host.roles.is_node());
    let found = nodes.flat_map(|(host, facts)| {
        LIMITED.iter().filter_map(|(path, option, what)| {
            let mount = mount_of(facts, path).filter(|mount| mount.options.split(',').any(|one| one == *option))?;
            Some(Found {
                host: Some(host.name.clone()),
                message: format!("{} is mounted {option}: {what}", mount.path),
                hint: format!("where pods need that, remount without {option}, in /etc/fstab too"),
                severity: Some(Severity::Note),
            })
        })
    });
    found.collect()
}

/// etcd's own advice: a 99th percentile below 10 ms. Above 100 ms elections follow one another.
const SLOW: Duration = Duration::from_millis(10);
const TOO_SLOW: Duration = Duration::from_millis(100);

pub(super) fn etcd_disk(subject: &Subject<'_>) -> Vec<Found> {
    let members = subject.hosts().filter(|(host, _)| host.roles.contains(Role::Etcd));
    let found = members.filter_map(|(host, _)| {
        let sync = *subject.measured.syncs.get(&host.name)?;
        (sync > SLOW).then(|| Found {
            host: Some(host.name.clone()),
            message: format!(
                "one write in a hundred takes {:.1} ms or more to reach etcd's disk",
                sync.as_secs_f64() * 1e3
            ),
            hint: "give etcd a disk of its own, on flash; one in use by others makes elections".into(),
            severity: Some(if sync > TOO_SLOW { Severity::Error } else { Severity::Warning }),
        })
    });
    found.collect()
}
