//! What the lab needs of this machine; everything that is missing is named at once.

use std::fs;
use std::path::Path;

use super::uml::Uml;
use super::{LabError, LabHost, Places, command};

/// Programs and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 6] = [
    ("linux.uml", "user-mode-linux"),
    ("mmdebstrap", "mmdebstrap"),
    ("ip", "iproute2"),
    ("mke2fs", "e2fsprogs"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
];

/// What a host writes to its disk before anything is installed on it, and then some.
const DISK_PER_HOST: u64 = 1 << 30;

/// Namespaces, taps and mounts are root's.
pub(super) fn root() -> Result<(), LabError> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(LabError::NotRoot) }
}

/// Whether every program and device is there.
pub(super) fn programs(kernel: &Uml) -> Result<(), LabError> {
    let needless = |program: &str| program == "linux.uml" && !kernel.is_packaged();
    missing(&|program| needless(program) || command::find(program).is_some())?;
    if Path::new("/dev/net/tun").exists() {
        return Ok(());
    }
    Err(LabError::Machine {
        what: "/dev/net/tun is not there, so hosts can have no network".into(),
        hint: "load the module with `modprobe tun`, or give the container that device".into(),
    })
}

/// Whether hosts with `kernel` can have a cluster; it is kept below `cache` where somebody has built it.
pub(super) fn cluster(kernel: &Uml, cache: &Path) -> Result<(), LabError> {
    if !kernel.is_packaged() {
        return Ok(());
    }
    Err(LabError::Machine {
        what: "the kernel of Debian's package user-mode-linux has no NAT, which the Services of a cluster need".into(),
        hint: format!(
            "build one that has it with `make image` or scripts/lab-kernel.sh; it is looked for in {}",
            cache.join("lab/kernel").display()
        ),
    })
}

fn missing(there: &dyn Fn(&str) -> bool) -> Result<(), LabError> {
    let absent: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !there(program)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = absent.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(LabError::Programs { programs: absent.iter().map(|(program, _)| *program).collect(), packages })
}

/// Whether `hosts` fit into memory and on the disk. A host takes memory as it touches it, and rarely all, so half of
/// the sum must be free; a warning is returned when not all of it is.
pub(super) fn space(places: &Places, hosts: &[LabHost]) -> Result<Option<String>, LabError> {
    let directory = places.state.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let disk = nix::sys::statvfs::statvfs(directory).map_err(LabError::system("look for free disk space"))?;
    disk_suffices(disk.blocks_available() * disk.fragment_size(), hosts.len() as u64, &places.state)?;
    let meminfo = fs::read_to_string("/proc/meminfo").map_err(LabError::file("read", "/proc/meminfo"))?;
    memory_suffices(available(&meminfo), hosts)
}

fn disk_suffices(free: u64, hosts: u64, directory: &Path) -> Result<(), LabError> {
    let wanted = hosts * DISK_PER_HOST;
    if free >= wanted {
        return Ok(());
    }
    Err(LabError::Machine {
        what: format!("{} has {} free; {hosts} hosts need {}", directory.display(), size(free), size(wanted)),
        hint: "free some, or name another directory in KUBEWRIGHT_LAB_DIR".into(),
    })
}

fn memory_suffices(free: u64, hosts: &[LabHost]) -> Result<Option<String>, LabError> {
    let sum: u64 = hosts.iter().map(|host| host.memory.bytes()).sum();
    let what = format!("this machine has {} of memory free; the hosts may use {}", size(free), size(sum));
    if free >= sum {
        Ok(None)
    } else if free >= sum / 2 {
        Ok(Some(what))
    } else {
        let hint = "ask for fewer hosts, or smaller ones with --memory-master and --memory-worker".into();
        Err(LabError::Machine { what, hint })
    }
}

/// Memory and swap that programs could get, in bytes.
fn available(meminfo: &str) -> u64 {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
    };
    (field("MemAvailable:") + field("SwapFree:")) << 10
}

fn size(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_kernel_is_refused_for_clusters_and_another_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let refused = cluster(&Uml::packaged(), cache.path()).unwrap_err().to_string();
        assert!(refused.contains("has no NAT") && refused.contains("lab/kernel"), "{refused}");
        let built = Uml { program: cache.path().join("linux.uml"), ..Uml::packaged() };
        cluster(&built, cache.path()).unwrap();
    }
    use crate::lab::{Options, topology};

    #[test]
    fn each_package_is_named_once() {
        assert!(missing(&|_| true).is_ok());
        let error = missing(&|program| program == "ip" || program == "mke2fs").unwrap_err().to_string();
        insta::assert_snapshot!(error, @"programs not found: linux.uml, mmdebstrap, ssh, ssh-keygen; install: apt-get install user-mode-linux mmdebstrap openssh-client");
    }

    #[test]
    fn memory_is_refused_warned_about_or_enough() {
        let hosts = topology::hosts(&Options::new("lab".parse().unwrap()));
        assert_eq!(memory_suffices(13 << 30, &hosts).unwrap(), None);
        insta::assert_snapshot!(memory_suffices(7 << 30, &hosts).unwrap().unwrap(), @"this machine has 7.0 GiB of memory free; the hosts may use 13.0 GiB");
        assert!(memory_suffices(6 << 30, &hosts).is_err());
    }

    #[test]
    fn disk_is_counted_by_host() {
        assert!(disk_suffices(5 << 30, 5, Path::new("/x")).is_ok());
        insta::assert_snapshot!(disk_suffices(4 << 30, 5, Path::new("/x")).unwrap_err(), @"/x has 4.0 GiB free; 5 hosts need 5.0 GiB; free some, or name another directory in KUBEWRIGHT_LAB_DIR");
    }

    #[test]
    fn swap_counts_as_memory() {
        let text = "MemTotal:       24000000 kB\nMemAvailable:    1024 kB\nSwapTotal: 5 kB\nSwapFree:        1024 kB\n";
        assert_eq!(available(text), 2 << 20);
    }
}
