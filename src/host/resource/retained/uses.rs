//! What on a host refers to programs and images: units, static pods, configuration, links, processes, containers.

use std::cell::OnceCell;
use std::fs;
use std::io;
use std::path::Path;

use super::super::super::machine::{Machine, found};
use super::super::super::protocol::Failure;

/// Files below these directories may name programs and images.
const TEXTS: &[&str] = &[
    "/etc/systemd/system",
    "/etc/kubernetes/manifests",
    "/etc/containerd",
    "/etc/cni/net.d",
    // What was kept before an upgrade must be able to run again.
    "/var/lib/kubewright/previous",
    // A container goes on with the shim and the runc that it was started with.
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
];
/// Links in these directories lead to programs.
const LINKS: &[&str] = &["/opt/kubewright/bin", "/opt/cni/bin", "/usr/local/bin", "/usr/local/sbin"];
/// Larger files are no configuration.
const LARGEST: u64 = 4 << 20;
/// A task's directory has its root file system in here, which is the container's business.
const ROOT_FILE_SYSTEM: &str = "rootfs";

/// All that refers to something, read when it is asked for: mostly there is nothing to take away.
pub(super) struct Uses<'m> {
    machine: &'m Machine,
    text: OnceCell<String>,
}

impl<'m> Uses<'m> {
    pub(super) fn of(machine: &'m Machine) -> Self {
        Self { machine, text: OnceCell::new() }
    }

    /// Whether anything refers to `name`, a path or a reference: as a whole, not as the beginning of a longer one.
    pub(super) fn mention(&self, name: &str) -> Result<bool, Failure> {
        if self.text.get().is_none() {
            let text = gather(self.machine)?;
            let _ = self.text.set(text);
        }
        Ok(self.text.get().is_some_and(|text| mentions(text, name)))
    }
}

fn mentions(text: &str, name: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '~');
    text.match_indices(name).any(|(at, _)| !text[at + name.len()..].starts_with(goes_on))
}

fn gather(machine: &Machine) -> Result<String, Failure> {
    let mut all = String::new();
    let failed = |what: &str| {
        let what = format!("looking for what is in use: reading {what}");
        move |error: io::Error| Failure::new(what, error)
    };
    for directory in TEXTS {
        texts(&machine.root.at(directory), &mut all).map_err(failed(directory))?;
    }
    for directory in LINKS {
        links(&machine.root.at(directory), &mut all).map_err(failed(directory))?;
    }
    programs(machine, &mut all)?;
    Ok(all)
}

/// Adds every text below `path`. What disappears meanwhile is a container that ends.
fn texts(path: &Path, all: &mut String) -> io::Result<()> {
    let Some(entries) = found(fs::read_dir(path))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let Some(meta) = found(entry.metadata())? else { continue };
        if meta.is_dir() {
            if entry.file_name() != ROOT_FILE_SYSTEM {
                texts(&entry.path(), all)?;
            }
        } else if meta.is_symlink() {
            link(&entry.path(), all)?;
        } else if meta.is_file()
            && meta.len() <= LARGEST
            && let Some(bytes) = found(fs::read(entry.path()))?
        {
            all.push_str(&String::from_utf8_lossy(&bytes));
            all.push('\n');
        }
    }
    Ok(())
}

fn links(path: &Path, all: &mut String) -> io::Result<()> {
    let Some(entries) = found(fs::read_dir(path))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_symlink() {
            link(&entry.path(), all)?;
        }
    }
    Ok(())
}

fn link(path: &Path, all: &mut String) -> io::Result<()> {
    if let Some(target) = found(fs::read_link(path))? {
        all.push_str(&target.to_string_lossy());
        all.push('\n');
    }
    Ok(())
}

/// Adds the program of every process. One that ends meanwhile uses nothing; kernel threads have none.
fn programs(machine: &Machine, all: &mut String) -> Result<(), Failure> {
    for pid in machine.names("/proc")?.into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        if let Ok(program) = fs::read_link(machine.root.at(format!("/proc/{pid}/exe"))) {
            all.push_str(&program.to_string_lossy());
            all.push('\n');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_version_is_another_one() {
        let text = "ExecStart=/opt/kubewright/etcd/3.4.1/bin/etcd\n\"/opt/kubewright/runc/1.1\"";
        assert!(mentions(text, "/opt/kubewright/etcd/3.4.1"));
        assert!(mentions(text, "/opt/kubewright/runc/1.1"));
        assert!(!mentions(text, "/opt/kubewright/etcd/3.4"));
        assert!(!mentions(text, "/opt/kubewright/runc/1"));
        assert!(mentions("image: pause:3.2\n# pause:3.25", "pause:3.2"));
    }
}
