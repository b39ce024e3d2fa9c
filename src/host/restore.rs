//! A snapshot of etcd put in the place of this host's data, step by step; every step may be cut off anywhere and asked
//! for again. What was there before stays beside it, until the next restore or a reset.
//!
//! ```text
//! /var/lib/etcd/member             what the member runs on
//! /var/lib/etcd/restored-ID/member what is to take its place: made while everything still runs
//! /var/lib/etcd/before-ID/member   what was there before
//! /var/lib/kubewright/restore/     the restore that is under way; manifests of the control plane that stands still
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::atomic::{self, Attributes};
use super::blob;
use super::etcdctl;
use super::machine::{Machine, STATE, found};
use super::probe::{pod_processes, pods_of};
use super::protocol::Failure;
use super::restores::{DATA, Restore, before, under_way};
use super::systemd;

const UNIT: &str = "etcd.service";
const KUBELET: &str = "kubelet.service";
const MANIFESTS: &str = "/etc/kubernetes/manifests";
/// What talks to etcd, and what remembers what it was told: file and program, whose name the kernel cuts at 15 bytes.
const CONTROL_PLANE: [(&str, &str); 3] = [
    ("kube-apiserver.yaml", "kube-apiserver"),
    ("kube-controller-manager.yaml", "kube-controller"),
    ("kube-scheduler.yaml", "kube-scheduler"),
];
/// What is to be left free beside the restored data: etcd makes a log of 64 MB at once.
const SPARE: u64 = 128 << 20;
/// How long the kubelet is given to end the pods whose manifests are gone; an API server gets 30 s of that from it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long all of that may take.
const ENDING: Duration = Duration::from_secs(150);

/// What a member needs to know of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredMember {
    /// Its name.
    pub name: String,
    /// Its peer URL.
    pub peer_url: String,
    /// What is added to the revision, so that no client takes an older answer for a newer one; 0 where the release cannot.
    pub bump_revision: u64,
}

/// One step on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreStep {
    /// Make a data directory of the snapshot, whose blob is here, beside the member's. Nothing that runs is touched.
    Unpack(RestoredMember),
    /// Take the control plane's manifests away, and wait until its pods have ended.
    StopControlPlane,
    /// Stop the member, and put the restored data in the place of its own.
    Swap,
    /// Stop the member, and put back what was there before.
    SwapBack,
    /// Start the member.
    StartEtcd,
    /// Give the manifests back.
    StartControlPlane,
    /// Restart the kubelet: what it remembers is of another time. Pods go on.
    RestartKubelet,
    /// The restore is over; what was there before stays for a way back.
    Finish,
}

impl std::fmt::Display for RestoreStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unpack(_) => "unpack the snapshot",
            Self::StopControlPlane => "stop the control plane",
            Self::Swap => "put the restored data in place",
            Self::SwapBack => "put the old data back",
            Self::StartEtcd => "start etcd",
            Self::StartControlPlane => "start the control plane",
            Self::RestartKubelet => "restart the kubelet",
            Self::Finish => "finish",
        })
    }
}

/// Does one step of `restore`.
pub(super) fn step(machine: &Machine, restore: &Restore, step: &RestoreStep) -> Result<(), Failure> {
    if restore.id.is_empty() || !restore.id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Failure::new("restore", "its id is made of letters and digits"));
    }
    let host = Host { machine, restore, places: Places::of(machine, &restore.id) };
    match step {
        RestoreStep::Unpack(member) => host.unpack(member),
        RestoreStep::StopControlPlane => host.begun().and_then(|()| host.stop_control_plane()),
        RestoreStep::Swap => host.begun().and_then(|()| host.swap()),
        RestoreStep::SwapBack => host.begun().and_then(|()| host.swap_back()),
        RestoreStep::StartEtcd => host.systemctl(&["enable", UNIT]).and_then(|()| host.systemctl(&["start", UNIT])),
        RestoreStep::StartControlPlane => host.start_control_plane(),
        RestoreStep::RestartKubelet => host.systemctl(&["restart", KUBELET]),
        RestoreStep::Finish => host.finish(),
    }
}

struct Places {
    data: PathBuf,
    member: PathBuf,
    restored: PathBuf,
    before: PathBuf,
}

impl Places {
    fn of(machine: &Machine, id: &str) -> Self {
        let data = machine.root.at(DATA);
        let restored = data.join(format!("restored-{id}"));
        Self { member: data.join("member"), restored, before: machine.root.at(before(id)), data }
    }
}

struct Host<'a> {
    machine: &'a Machine,
    restore: &'a Restore,
    places: Places,
}

impl Host<'_> {
    fn unpack(&self, member: &RestoredMember) -> Result<(), Failure> {
        let what = "unpack the snapshot";
        let Places { data, restored, before, .. } = &self.places;
        if before.exists() || restored.join("member").exists() {
            return Ok(());
        }
        let failed = |error: io::Error| Failure::writing(format!("{what} in {}", data.display()), &error, data);
        let snapshot = blob::path(self.machine, &self.restore.snapshot)?;
        let owner = fs::metadata(data).map_err(failed)?;
        // What earlier restores left goes only now: until here their way back was open.
        sweep(data).map_err(failed)?;
        Failure::unless_room(what, data, self.restore.snapshot.size.saturating_mul(11) / 10 + SPARE)?;
        let staging = data.join("restoring");
        // The tool that came with the member: what it writes is what the member reads.
        let tool = etcdctl::unpack(&etcdctl::programs(self.machine, what)?, &snapshot, what)?;
        let bump = match member.bump_revision {
            0 => Vec::new(),
            bump => vec![format!("--bump-revision={bump}"), "--mark-compacted".to_owned()],
        };
        let tool = tool
            .args([
                format!("--name={}", member.name),
                format!("--initial-cluster={}", self.restore.initial_cluster),
                format!("--initial-cluster-token={}", self.restore.id),
                format!("--initial-advertise-peer-urls={}", member.peer_url),
                format!("--data-dir={}", staging.display()),
            ])
            .args(bump);
        let run = self.machine.system.run(&tool);
        run.map_err(|error| etcdctl::failed(what, &error))?;
        own(&staging, owner.uid(), owner.gid()).map_err(failed)?;
        atomic::sync_file_system(data).map_err(failed)?;
        fs::rename(&staging, restored).and_then(|()| atomic::sync_directory(data)).map_err(failed)?;
        // It would only be in the way of the next one.
        found(fs::remove_file(&snapshot)).map_err(failed).map(drop)
    }

    /// From now on this host stands in the middle of a restore, and says so to whoever comes.
    fn begun(&self) -> Result<(), Failure> {
        if under_way(self.machine)?.as_ref() == Some(self.restore) {
            return Ok(());
        }
        self.note("under-way.json")
    }

    fn note(&self, name: &str) -> Result<(), Failure> {
        let directory = self.machine.own_directory(&format!("{STATE}/restore"))?;
        let text = serde_json::to_vec_pretty(self.restore).map_err(|error| Failure::new("restore", error))?;
        let path = directory.join(name);
        let written = atomic::write(&path, &text, Attributes { mode: 0o600, owner: None });
        written.map_err(|error| Failure::writing(format!("writing {}", path.display()), &error, &directory))
    }

    fn aside(&self) -> PathBuf {
        self.machine.root.at(format!("{STATE}/restore/manifests"))
    }

    fn stop_control_plane(&self) -> Result<(), Failure> {
        self.machine.own_directory(&format!("{STATE}/restore/manifests"))?;
        for (file, _) in CONTROL_PLANE {
            self.carry(&self.machine.root.at(format!("{MANIFESTS}/{file}")), &self.aside().join(file))?;
        }
        let (since, mut forced) = (Instant::now(), false);
        loop {
            let mut running = Vec::new();
            for (_, program) in CONTROL_PLANE {
                if !pods_of(self.machine, program)?.is_empty() {
                    running.push(program);
                }
            }
            if running.is_empty() {
                return Ok(());
            }
            if since.elapsed() > PATIENCE && !forced {
                forced = true;
                self.end_control_plane()?;
            }
            if since.elapsed() > ENDING {
                let why = format!("still running after {} s: {}", ENDING.as_secs(), running.join(", "));
                let hint = "the kubelet ends them; journalctl -u kubelet on the host";
                return Err(Failure::new("stop the control plane", why).hint(hint));
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// A kubelet that has not seen an API server since it started ends no pod, whatever becomes of its manifest: that is
    /// how it is after a power cut, with etcd lost.
    fn end_control_plane(&self) -> Result<(), Failure> {
        self.systemctl(&["stop", KUBELET])?;
        for (_, program) in CONTROL_PLANE {
            for (pid, _) in pod_processes(self.machine, program)? {
                let killed = self.machine.system.kill(pid);
                killed.map_err(|error| Failure::new(format!("ending {program}, process {pid}"), error))?;
            }
        }
        Ok(())
    }

    fn start_control_plane(&self) -> Result<(), Failure> {
        for (file, _) in CONTROL_PLANE {
            self.carry(&self.aside().join(file), &self.machine.root.at(format!("{MANIFESTS}/{file}")))?;
        }
        self.systemctl(&["start", KUBELET])
    }

    /// Moves a file, from one file system to another if need be; one that is not there has been moved already.
    fn carry(&self, from: &Path, to: &Path) -> Result<(), Failure> {
        let what = || format!("moving {} to {}", from.display(), to.display());
        let directory = to.parent().unwrap_or(Path::new("/"));
        let carried = found(fs::read(from)).and_then(|content| {
            let Some(content) = content else { return Ok(()) };
            let mode = fs::metadata(from)?.mode() & 0o7777;
            atomic::write(to, &content, Attributes { mode, owner: None })?;
            fs::remove_file(from)?;
            atomic::sync_directory(from.parent().unwrap_or(Path::new("/")))
        });
        carried.map_err(|error| Failure::writing(what(), &error, directory))
    }

    fn swap(&self) -> Result<(), Failure> {
        let Places { data, member, restored, before } = &self.places;
        let fresh = restored.join("member");
        if !fresh.exists() && !before.exists() {
            return Err(Failure::new("put the restored data in place", format!("{} is not there", fresh.display())));
        }
        self.stop_etcd()?;
        let swapped = || {
            if fresh.exists() {
                if member.exists() && !before.join("member").exists() {
                    ensure(before, data)?;
                    fs::rename(member, before.join("member"))?;
                    atomic::sync_directory(before)?;
                }
                // Where a disk was lost there is nothing to keep; that the swap was made is to be seen all the same.
                ensure(before, data)?;
                fs::rename(&fresh, member)?;
            }
            found(fs::remove_dir(restored))?;
            atomic::sync_directory(data)
        };
        let what = format!("putting the restored data into {}", data.display());
        swapped().map_err(|error| Failure::writing(what, &error, data))
    }

    fn swap_back(&self) -> Result<(), Failure> {
        let Places { data, member, restored, before } = &self.places;
        let old = before.join("member");
        if !before.exists() {
            return Ok(());
        }
        self.stop_etcd()?;
        let swapped = || {
            if old.exists() {
                found(fs::remove_dir_all(member))?;
                fs::rename(&old, member)?;
            }
            found(fs::remove_dir(before))?;
            found(fs::remove_dir_all(restored))?;
            atomic::sync_directory(data)
        };
        let what = format!("putting the old data back into {}", data.display());
        swapped().map_err(|error| Failure::writing(what, &error, data))
    }

    /// Not even a boot starts it while there is no data for it: it would take itself for a member of a new cluster.
    fn stop_etcd(&self) -> Result<(), Failure> {
        self.systemctl(&["disable", UNIT])?;
        self.systemctl(&["stop", UNIT])
    }

    fn systemctl(&self, words: &[&str]) -> Result<(), Failure> {
        let what = words.join(" ");
        systemd::systemctl(self.machine, &what, words).map_err(|failure| match words {
            ["start" | "restart", unit] => {
                let log = systemd::journal(self.machine, unit);
                Failure { why: format!("{}\n{log}", failure.why), ..failure }
            }
            _ => failure,
        })
    }

    fn finish(&self) -> Result<(), Failure> {
        self.note("last.json")?;
        let path = self.machine.root.at(format!("{STATE}/restore/under-way.json"));
        let removed =
            found(fs::remove_file(&path)).and_then(|_| atomic::sync_directory(path.parent().unwrap_or(Path::new("/"))));
        removed.map_err(|error| Failure::new(format!("removing {}", path.display()), error))
    }
}

fn ensure(directory: &Path, parent: &Path) -> io::Result<()> {
    if !directory.exists() {
        fs::create_dir(directory)?;
        fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        atomic::sync_directory(parent)?;
    }
    Ok(())
}

/// Removes what earlier restores left in the data directory.
fn sweep(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == "restoring" || name.starts_with("restored-") || name.starts_with("before-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Gives a tree to the user that etcd runs as.
fn own(path: &Path, user: u32, group: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            own(&entry?.path(), user, group)?;
        }
    }
    lchown(path, Some(user), Some(group))?;
    if path.is_file() { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
