//! Removes directories and files. Nothing is removed through a mount: what is still mounted below a directory is
//! somebody's data.

use std::fs;
use std::io;
use std::path::Path;

use super::super::lock;
use super::super::machine::{Machine, STATE, found};
use super::super::proc;
use super::super::protocol::{Action, Failure};
use super::Work;
use crate::desired::state::Part;

const PATHS: [(Part, &str); 17] = [
    (Part::ControlPlane, "/etc/kubernetes"),
    (Part::Etcd, "/etc/etcd"),
    (Part::Etcd, "/var/lib/etcd"),
    (Part::Network, "/etc/cni/net.d/10-kubewright.conflist"),
    (Part::Network, "/etc/cni/net.d/10-calico.conflist"),
    (Part::Network, "/etc/cni/net.d/calico-kubeconfig"),
    (Part::Network, "/var/lib/cni"),
    (Part::Network, "/var/lib/calico"),
    (Part::Network, "/run/calico"),
    (Part::Kubelet, "/var/lib/kubelet"),
    (Part::Kubelet, "/var/log/pods"),
    (Part::Kubelet, "/var/log/containers"),
    (Part::Runtime, "/var/lib/containerd"),
    (Part::Runtime, "/run/containerd"),
    (Part::Endpoint, "/etc/kubewright"),
    (Part::Endpoint, "/run/kubewright"),
    (Part::Binaries, "/opt/kubewright"),
];
/// Removed only when it says that kubewright wrote it: a package may own a file of that name.
const SHARED: [(Part, &str); 4] = [
    (Part::Runtime, "/etc/containerd/config.toml"),
    (Part::Runtime, "/etc/crictl.yaml"),
    (Part::Endpoint, "/etc/haproxy/haproxy.cfg"),
    (Part::Endpoint, "/etc/keepalived/keepalived.conf"),
];

const PLUGINS: &str = "/opt/cni/bin";
/// Go when nothing is left in them.
const EMPTY: [&str; 14] = [
    "/opt/cni/bin",
    "/opt/cni",
    "/etc/cni/net.d",
    "/etc/cni",
    "/etc/containerd/certs.d",
    "/etc/containerd",
    "/opt/containerd/bin",
    "/opt/containerd/lib",
    "/opt/containerd",
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "/usr/libexec/kubernetes/kubelet-plugins/volume",
    "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes",
    "/etc/sysusers.d",
];

pub(super) fn remove(work: &mut Work) {
    for (part, path) in SHARED {
        let ours = work.look(work.machine.text(path)).is_some_and(|text| text.contains("kubewright"));
        if ours {
            remove_path(work, part, path);
        }
    }
    for (part, path) in PATHS {
        remove_path(work, part, path);
    }
    plugins(work);
    for path in EMPTY {
        // One with something else in it stays.
        let _ = fs::remove_dir(work.machine.root.at(path));
    }
}

/// CNI plugins stand where their users look for them, as links to ours.
fn plugins(work: &mut Work) {
    let names = work.look(work.machine.names(PLUGINS));
    for name in names {
        let path = format!("{PLUGINS}/{name}");
        if fs::read_link(work.machine.root.at(&path)).is_ok_and(|target| target.starts_with("/opt/kubewright")) {
            remove_path(work, Part::Binaries, &path);
        }
    }
}

/// Removes whatever is at `path`; a mount point is emptied and stays.
pub(super) fn remove_path(work: &mut Work, part: Part, path: &str) {
    let there = work.look(work.machine.exists(path));
    if !there {
        return;
    }
    let mounted = work.look(mounted(work.machine));
    if let Some(below) = mounted.iter().find(|mount| mount.as_str() != path && Path::new(mount).starts_with(path)) {
        let why = format!("not removed: a file system is mounted at {below}");
        work.failures.push(Failure::new(format!("removing {path}"), why).hint(format!("unmount {below}, reset again")));
        return;
    }
    let place = work.machine.root.at(path);
    if mounted.iter().any(|mount| mount == path) {
        if fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_none()) {
            return;
        }
        work.step(part, format!("directory {path}"), Action::Remove, "emptied; it is a mount point", |_| {
            empty(&place).map_err(|error| Failure::new(format!("emptying {path}"), error))
        });
        return;
    }
    let kind = if place.is_dir() && !place.is_symlink() { "directory" } else { "file" };
    work.step(part, format!("{kind} {path}"), Action::Remove, "removed", |_| {
        remove_any(&place).map_err(|error| Failure::new(format!("removing {path}"), error))
    });
}

/// Makes durable what was removed and given back: it is done only when a power cut does not undo it.
pub(super) fn sync(work: &mut Work) {
    for path in ["/etc", "/opt", "/var/lib"] {
        let synced = found(fs::File::open(work.machine.root.at(path)))
            .and_then(|directory| directory.map_or(Ok(()), |directory| Ok(nix::unistd::syncfs(directory)?)));
        work.look(synced.map_err(|error| Failure::new(format!("syncing the file system of {path}"), error)));
    }
}

/// Mount points in the order in which they were made.
pub(super) fn mounted(machine: &Machine) -> Result<Vec<String>, Failure> {
    let text = machine.text("/proc/mounts")?.unwrap_or_default();
    Ok(proc::mounts(&text).into_iter().map(|mount| mount.path).collect())
}

/// Removes the agent's own memory: all but the running binary and the lock first, and those as the very last act.
pub(super) fn remove_state(work: &mut Work, binary: &Path) {
    let state = work.machine.root.at(STATE);
    let lock = work.machine.root.at(lock::path());
    if !state.exists() {
        return;
    }
    let spare = |path: &Path| path == lock || binary.starts_with(path);
    let remove = |_: &Machine| {
        let removed = sweep(&state, &spare).and_then(|()| {
            found(fs::remove_file(&lock))?;
            remove_any(&state)
        });
        removed.map_err(|error| Failure::new(format!("removing {STATE}"), error))
    };
    // What this run itself has brought to a bare host is no change.
    if holds_nothing_but(&state, &spare) {
        let removed = remove(work.machine);
        work.look(removed);
    } else {
        work.step(Part::Binaries, format!("directory {STATE}"), Action::Remove, "removed", remove);
    }
}

/// Whether all that is below `directory` is spared. One that cannot be read holds more.
fn holds_nothing_but(directory: &Path, spare: &dyn Fn(&Path) -> bool) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries
        .flatten()
        .map(|entry| entry.path())
        .all(|path| spare(&path) && (!path.is_dir() || holds_nothing_but(&path, spare)))
}

/// Removes everything below `directory` but what is spared and what leads to it.
fn sweep(directory: &Path, spare: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if !spare(&path) {
            remove_any(&path)?;
        } else if path.is_dir() {
            sweep(&path, spare)?;
        }
    }
    Ok(())
}

fn empty(directory: &Path) -> io::Result<()> {
    sweep(directory, &|_| false)
}

fn remove_any(path: &Path) -> io::Result<()> {
    match found(fs::symlink_metadata(path))? {
        None => Ok(()),
        Some(meta) if meta.is_dir() => found(fs::remove_dir_all(path)).map(drop),
        Some(_) => found(fs::remove_file(path)).map(drop),
    }
}
