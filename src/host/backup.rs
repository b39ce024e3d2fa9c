//! A copy of what makes this host a part of its cluster, before an upgrade changes it: for people, and for the day on
//! which nothing else is left. Going back by itself uses what [`previous`](super::previous) keeps.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::Path;
use std::time::SystemTime;

use super::atomic;
use super::machine::{Machine, STATE, found};
use super::protocol::{Failure, Reply};
use super::systemd::UNIT_FILES;

/// How many are kept.
const KEPT: usize = 3;
/// Files and directories that are copied whole.
const PATHS: [&str; 10] = [
    "/etc/kubernetes",
    "/etc/etcd",
    "/etc/kubewright",
    "/etc/containerd/config.toml",
    "/etc/cni/net.d",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/pki",
    "/etc/systemd/system/etcd.service",
    "/etc/systemd/system/containerd.service",
    "/etc/systemd/system/kubelet.service",
];
/// Directory, beginning and end of the names of more files.
const PATTERNS: [(&str, &str, &str); 3] =
    [("/var/lib/kubelet/", "", ".env"), (UNIT_FILES, "kubewright-", ".service"), (UNIT_FILES, "kubewright-", ".timer")];

/// The directory of the backup called `name`, on the host.
pub(super) fn directory(name: &str) -> Result<String, Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(good) {
        let why = "the name of a backup is made of letters, digits, dots, dashes and underscores";
        return Err(Failure::new(format!("backup {name:?}"), why));
    }
    Ok(format!("{}/{name}", all()))
}

fn all() -> String {
    format!("{STATE}/backups")
}

/// Makes the backup called `name`, unless it is there, and removes old ones.
pub(super) fn backup(machine: &Machine, name: &str) -> Result<Reply, Failure> {
    let directory = directory(name)?;
    let path = format!("{directory}/files");
    let what = format!("backup {path}");
    let there = machine.exists(&path)?;
    if !there {
        let own = machine.own_directory(&directory)?;
        let made = copy_all(machine, &machine.root.at(&path));
        made.map_err(|error| Failure::writing(&what, &error, &own))?;
        prune(machine, name).map_err(|error| Failure::new(format!("removing old backups in {}", all()), error))?;
    }
    let bytes = size(&machine.root.at(&path)).map_err(|error| Failure::new(&what, error))?;
    Ok(Reply::BackedUp { path, bytes, created: !there })
}

/// Copies beside `target` and puts the whole in its place.
fn copy_all(machine: &Machine, target: &Path) -> io::Result<()> {
    let beside = atomic::beside(target)?;
    let copied = fill(machine, &beside).and_then(|()| atomic::settle(&beside, target));
    if copied.is_err() {
        let _ = fs::remove_dir_all(&beside);
    }
    copied?;
    // The directories that lead to it are new, too.
    let ancestors = target.ancestors().skip(1).take(3);
    ancestors.into_iter().try_for_each(atomic::sync_directory)
}

fn fill(machine: &Machine, into: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(into)?;
    for path in paths(machine)? {
        let (from, to) = (machine.root.at(&path), into.join(path.trim_start_matches('/')));
        if found(fs::symlink_metadata(&from))?.is_some() {
            fs::create_dir_all(to.parent().unwrap_or(into))?;
            copy(&from, &to)?;
        }
    }
    sync_directories(into)
}

fn paths(machine: &Machine) -> io::Result<Vec<String>> {
    let mut paths: Vec<String> = PATHS.iter().map(ToString::to_string).collect();
    for (directory, start, end) in PATTERNS {
        let names = machine.names(directory).map_err(io::Error::other)?;
        let matching = names.into_iter().filter(|name| name.starts_with(start) && name.ends_with(end));
        paths.extend(matching.map(|name| format!("{directory}{name}")));
    }
    Ok(paths)
}

/// Copies one thing with its mode and owner; what goes away meanwhile is left out, and so is what is neither file,
/// link nor directory.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let Some(meta) = found(fs::symlink_metadata(from))? else { return Ok(()) };
    if meta.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
        return lchown(to, Some(meta.uid()), Some(meta.gid()));
    }
    if meta.is_dir() {
        // One that two paths lead to may be there.
        found_there(DirBuilder::new().mode(0o700).create(to))?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            if !atomic::is_ours(&name.to_string_lossy()) {
                copy(&from.join(&name), &to.join(&name))?;
            }
        }
        lchown(to, Some(meta.uid()), Some(meta.gid()))?;
        return fs::set_permissions(to, meta.permissions());
    }
    if !meta.is_file() {
        return Ok(());
    }
    let Some(mut source) = found(File::open(from))? else { return Ok(()) };
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut copy)?;
    std::os::unix::fs::fchown(&copy, Some(meta.uid()), Some(meta.gid()))?;
    copy.set_permissions(meta.permissions())?;
    copy.set_modified(meta.modified()?)?;
    copy.sync_all()
}

fn found_there(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn sync_directories(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    atomic::sync_directory(directory)
}

/// Bytes of the files below `directory`.
fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { size(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

/// The image before whose upgrade a backup was made.
fn before(name: &OsStr) -> Option<&str> {
    name.to_str()?.split_once("-before-").map(|(_, image)| image)
}

/// Removes all but the newest ones; `current` stays in any case, and so does the first one of the same upgrade: runs
/// that go on with it make more, and only that one is from before anything was changed.
fn prune(machine: &Machine, current: &str) -> io::Result<()> {
    let directory = machine.root.at(all());
    let mut others: Vec<(SystemTime, OsString)> = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != current && !atomic::is_ours(&name.to_string_lossy()) {
            others.push((entry.metadata()?.modified()?, name));
        }
    }
    others.sort_unstable_by(|one, other| other.cmp(one));
    let image = before(current.as_ref());
    let first = others.iter().rposition(|(_, name)| image.is_some() && before(name) == image);
    for (index, (_, name)) in others.into_iter().enumerate().skip(KEPT - 1) {
        if first == Some(index) {
            continue;
        }
        // Out of the way first: half a backup must not look like one.
        let old = directory.join(name);
        let away = atomic::beside(&old)?;
        fs::rename(&old, &away)?;
        fs::remove_dir_all(&away)?;
    }
    atomic::sync_directory(&directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use super::super::testing::Scripted;
    use super::*;

    fn host() -> Scripted {
        let host = Scripted::new();
        for (path, content) in [
            ("/etc/kubernetes/manifests/kube-apiserver.yaml", "pod"),
            ("/etc/kubernetes/pki/ca.key", "secret"),
            ("/etc/kubernetes/.kubewright-tmp/.kubewright-1-x.tmp", "half"),
            ("/etc/etcd/etcd.env", "A=1"),
            ("/var/lib/kubelet/config.yaml", "config"),
            ("/var/lib/kubelet/kubeadm-flags.env", "flags"),
            ("/var/lib/kubelet/cpu_manager_state", "not this"),
            ("/var/lib/kubelet/pki/kubelet-client-2026.pem", "pem"),
            ("/etc/systemd/system/etcd.service", "unit"),
            ("/etc/systemd/system/kubewright-tune.service", "unit"),
            ("/etc/systemd/system/foreign.service", "not this"),
            ("/etc/containerd/config.toml", "toml"),
            ("/etc/containerd/certs.d/hosts.toml", "not this"),
            ("/etc/cni/net.d/10-kubewright.conflist", "cni"),
        ] {
            host.put(path, content);
        }
        let key = host.at("/etc/kubernetes/pki/ca.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
        fs::set_permissions(host.at("/etc/kubernetes/pki"), fs::Permissions::from_mode(0o711)).unwrap();
        let current = host.at("/var/lib/kubelet/pki/kubelet-client-current.pem");
        symlink("/var/lib/kubelet/pki/kubelet-client-2026.pem", current).unwrap();
        let socket = host.at("/etc/kubernetes/socket");
        drop(std::os::unix::net::UnixListener::bind(socket).unwrap());
        host
    }

    fn make(host: &Scripted, name: &str) -> (String, u64, bool) {
        let Reply::BackedUp { path, bytes, created } = backup(&host.machine, name).unwrap() else { panic!() };
        (path, bytes, created)
    }

    fn below(directory: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                names.extend(below(&path));
            } else {
                names.push(path.display().to_string());
            }
        }
        names.sort();
        names
    }

    #[test]
    fn what_makes_the_host_is_copied_as_it_is() {
        let host = host();
        let (path, bytes, created) = make(&host, "v1.20-v1.21");
        assert_eq!((path.as_str(), created), ("/var/lib/kubewright/backups/v1.20-v1.21/files", true));
        let root = host.at(&path);
        let names: Vec<String> =
            below(&root).into_iter().map(|name| name.replace(root.to_str().unwrap(), "")).collect();
        let expected = [
            "/etc/cni/net.d/10-kubewright.conflist",
            "/etc/containerd/config.toml",
            "/etc/etcd/etcd.env",
            "/etc/kubernetes/manifests/kube-apiserver.yaml",
            "/etc/kubernetes/pki/ca.key",
            "/etc/systemd/system/etcd.service",
            "/etc/systemd/system/kubewright-tune.service",
            "/var/lib/kubelet/config.yaml",
            "/var/lib/kubelet/kubeadm-flags.env",
            "/var/lib/kubelet/pki/kubelet-client-2026.pem",
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
        ];
        assert_eq!(names, expected);
        let mode = |path: &str| fs::symlink_metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("etc/kubernetes/pki/ca.key"), mode("etc/kubernetes/pki")), (0o400, 0o711));
        assert_eq!(fs::read_to_string(root.join("etc/kubernetes/pki/ca.key")).unwrap(), "secret");
        let link = fs::read_link(root.join("var/lib/kubelet/pki/kubelet-client-current.pem")).unwrap();
        assert_eq!(link, Path::new("/var/lib/kubelet/pki/kubelet-client-2026.pem"));
        let above = host.at("/var/lib/kubewright/backups/v1.20-v1.21").metadata().unwrap().permissions().mode();
        assert_eq!(above & 0o7777, 0o700);
        assert!(bytes > 30, "{bytes}");
    }

    #[test]
    fn a_complete_one_stays_and_a_killed_one_is_made_anew() {
        let host = host();
        let beside = "/var/lib/kubewright/backups/a/.kubewright-999999999-files.tmp";
        host.put(&format!("{beside}/etc/kubernetes/half"), "");
        let (path, bytes, created) = make(&host, "a");
        assert!(created && !host.at(beside).exists());
        host.put("/etc/etcd/etcd.env", "changed meanwhile");
        assert_eq!(make(&host, "a"), (path.clone(), bytes, false));
        assert_eq!(host.get(&format!("{path}/etc/etcd/etcd.env")), "A=1");
        assert_eq!(host.machine.names("/var/lib/kubewright/backups/a").unwrap(), ["files"]);
    }

    #[test]
    fn the_newest_three_are_kept() {
        let host = host();
        let mut time = SystemTime::now() - Duration::from_secs(3600);
        for name in ["z-oldest", "b", "a", "c"] {
            make(&host, name);
            time += Duration::from_secs(60);
            File::open(host.at(format!("/var/lib/kubewright/backups/{name}").as_str()))
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        assert_eq!(host.machine.names("/var/lib/kubewright/backups").unwrap(), ["a", "b", "c"]);
        make(&host, "0-newest");
        assert_eq!(host.machine.names("/var/lib/kubewright/backups").unwrap(), ["0-newest", "a", "c"]);
    }

    #[test]
    fn the_first_one_of_an_upgrade_outlives_those_of_its_further_runs() {
        let host = host();
        let mut time = SystemTime::now() - Duration::from_secs(3600);
        for name in ["1-before-a", "2-before-b", "3-before-b", "4-before-b", "5-before-b", "6-before-b"] {
            make(&host, name);
            time += Duration::from_secs(60);
            let path = host.at(&format!("/var/lib/kubewright/backups/{name}"));
            File::open(path).unwrap().set_modified(time).unwrap();
        }
        let kept = host.machine.names("/var/lib/kubewright/backups").unwrap();
        assert_eq!(kept, ["2-before-b", "4-before-b", "5-before-b", "6-before-b"]);
    }

    #[test]
    fn a_bare_host_has_an_empty_backup_and_a_bad_name_none() {
        let host = Scripted::new();
        assert_eq!(make(&host, "x").1, 0);
        for name in ["", ".", "..", "a/b", ".hidden", "a b", "a\0"] {
            assert!(backup(&host.machine, name).unwrap_err().why.contains("letters"), "{name}");
        }
        assert_eq!(host.machine.names("/var/lib/kubewright/backups").unwrap(), ["x"]);
    }
}
