//! Files change all at once or not at all: write beside, fsync, mode and owner, rename, fsync the directory.
//!
//! Whatever is beside a target is called `.kubewright-PID-NAME.tmp`; one whose process is gone is a leftover of a
//! killed run and goes with the next write there. The suffix matters: a directory of `*.conf` files is read by
//! programs that do not skip hidden ones.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

const PREFIX: &str = ".kubewright-";
const SUFFIX: &str = ".tmp";
/// The kubelet starts every file in here as a pod, hidden and half-written ones included.
const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// Mode and owner of a file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// User and group id; `None` leaves the process' own.
    pub owner: Option<(u32, u32)>,
}

/// Replaces `target` by a regular file with `content`.
pub fn write(target: &Path, content: &[u8], attributes: Attributes) -> io::Result<()> {
    let beside = beside(target)?;
    let result = fill(&beside, content, attributes).and_then(|()| settle(&beside, target));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}

/// Replaces `target` by a symbolic link to `points_at`.
pub fn symlink(points_at: &str, target: &Path) -> io::Result<()> {
    let beside = beside(target)?;
    std::os::unix::fs::symlink(points_at, &beside)?;
    let result = settle(&beside, target);
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}

/// A free path on the file system of `target` where its successor is made; leftovers there are swept.
pub fn beside(target: &Path) -> io::Result<PathBuf> {
    let directory = staging(target)?;
    sweep(&directory)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(100).collect();
    Ok(directory.join(format!("{PREFIX}{}-{name}{SUFFIX}", std::process::id())))
}

/// Renames what was made beside `target` to it, durably.
pub fn settle(beside: &Path, target: &Path) -> io::Result<()> {
    fs::rename(beside, target)?;
    sync_directory(target.parent().unwrap_or(Path::new("/")))
}

/// Puts the directory `beside` in the place of `target`, whatever stands there.
pub fn settle_directory(beside: &Path, target: &Path) -> io::Result<()> {
    // Two directories cannot be swapped in one step on every kernel. A kill in between leaves none at `target`,
    // which the next run mends, and what was moved away is swept by it.
    let name = beside.file_name().unwrap_or_default().to_string_lossy();
    let old = beside.with_file_name(format!("{}-old{SUFFIX}", name.trim_end_matches(SUFFIX)));
    match fs::rename(target, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => settle(beside, target)?,
    }
    match fs::symlink_metadata(&old) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&old),
        Ok(_) => fs::remove_file(&old),
        Err(_) => Ok(()),
    }
}

/// Writes the directory's entries to disk.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Writes everything in the file system of `directory` to disk: one sync for many files.
pub fn sync_file_system(directory: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(directory)?)?)
}

/// Whether `name` is one of ours, not a file of the host.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn fill(path: &Path, content: &[u8], attributes: Attributes) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    if let Some((user, group)) = attributes.owner {
        std::os::unix::fs::fchown(&file, Some(user), Some(group))?;
    }
    file.set_permissions(fs::Permissions::from_mode(attributes.mode))?;
    file.sync_all()
}

fn staging(target: &Path) -> io::Result<PathBuf> {
    let directory = target.parent().unwrap_or(Path::new("/"));
    if !directory.ends_with(&MANIFESTS[1..]) {
        return Ok(directory.to_owned());
    }
    let staging = directory.with_file_name(format!("{PREFIX}tmp"));
    match DirBuilder::new().mode(0o700).create(&staging) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(staging),
    }
}

fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if leftover(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            if entry.file_type()?.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Whether the process that made it is gone, or is this one, which makes one thing at a time.
fn leftover(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| rest.ends_with(SUFFIX)) else { return false };
    let Some(pid) = rest.split('-').next().and_then(|pid| pid.parse::<i32>().ok()) else { return false };
    pid.unsigned_abs() == std::process::id() || kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Attributes = Attributes { mode: 0o640, owner: None };

    /// A process id that no process has.
    fn dead() -> u32 {
        fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse::<u32>().unwrap() + 7
    }

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for content in ["one", "two"] {
            write(&path, content.as_bytes(), PLAIN).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_of_a_killed_run_go_and_those_of_a_living_one_stay() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: String| directory.path().join(name);
        let old = at(format!(".kubewright-{}-a.tmp", dead()));
        let own = at(format!(".kubewright-{}-a.tmp", std::process::id()));
        let living = at(".kubewright-1-a.tmp".into());
        let foreign = at(".kubewright-notes".into());
        for path in [&old, &own, &living, &foreign] {
            fs::write(path, "hal").unwrap();
        }
        let component = at(format!(".kubewright-{}-1.2.3.tmp", dead()));
        fs::create_dir(&component).unwrap();
        fs::write(component.join("half"), "").unwrap();
        write(&at("a".into()), b"whole", PLAIN).unwrap();
        assert!(!old.exists() && !own.exists() && !component.exists());
        assert!(living.exists() && foreign.exists());
    }

    #[test]
    fn nothing_but_the_manifest_ever_stands_in_the_manifest_directory() {
        let directory = tempfile::tempdir().unwrap();
        let manifests = directory.path().join("etc/kubernetes/manifests");
        fs::create_dir_all(&manifests).unwrap();
        let beside = beside(&manifests.join("kube-apiserver.yaml")).unwrap();
        assert_eq!(beside.parent().unwrap(), directory.path().join("etc/kubernetes/.kubewright-tmp"));
        write(&manifests.join("kube-apiserver.yaml"), b"x", PLAIN).unwrap();
        assert_eq!(fs::read_dir(&manifests).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("in-the-way"), "").unwrap();
        assert!(write(&path, b"x", PLAIN).is_err());
        assert!(symlink("/x", &path).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_replaces_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for target in ["/one", "/two"] {
            symlink(target, &path).unwrap();
            assert_eq!(fs::read_link(&path).unwrap(), Path::new(target));
        }
    }
}
