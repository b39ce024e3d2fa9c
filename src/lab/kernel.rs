//! The command line of a host's kernel.

use std::path::Path;
use std::process::Command;

use super::layout::Record;
use super::topology::LabHost;
use super::{command, recipe};

/// The kernel of `host`, not running yet. Its paths are relative to the host's directory, where it must be started: the
/// kernel puts one of them into the address of a socket, which must be short. `memory` must be on a tmpfs.
pub(super) fn command(record: &Record, host: &LabHost, memory: &Path) -> Command {
    let mut kernel = command::new(&record.kernel.program);
    kernel.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/").env("TMPDIR", memory);
    kernel.args(arguments(record, host));
    kernel
}

fn arguments(record: &Record, host: &LabHost) -> Vec<String> {
    let mut arguments = vec![
        format!("mem={}", host.memory),
        // Copy on write: everything that the host writes is in disk.cow.
        format!("ubd0=disk.cow,{}", record.base.display()),
        "ubd1r=seed.tar".into(),
        "root=/dev/ubda".into(),
        "rw".into(),
        format!("init={}", recipe::INIT),
        "con=null".into(),
        "con0=null,fd:1".into(),
        format!("vec0:transport=tap,ifname={},depth=128,gro=1,mac={}", host.tap(), host.mac()),
        format!("umid={}-{}", record.options.name, host.name),
        "uml_dir=uml".into(),
        // To end when the host restarts, instead of running itself again with a tap that it cannot open any more.
        "noreboot".into(),
        // 256 terminals that nobody has used for 20 years cost five seconds of udev.
        "pty.legacy_count=0".into(),
        "systemd.unified_cgroup_hierarchy=1".into(),
    ];
    let disks = record.options.disks.iter().enumerate();
    arguments.extend(disks.map(|(index, _)| format!("ubd{}={}", index + 2, data_disk(index))));
    arguments.extend(record.kernel.words.iter().cloned());
    arguments
}

/// The file of a disk beside the host's own, in the host's directory.
pub(super) fn data_disk(index: usize) -> String {
    format!("data{}.img", index + 1)
}

/// How a kernel's life ended, by the last words on its console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The host was shut down; it stays off.
    PoweredOff,
    /// It restarts.
    Restarting,
    /// It was killed, or crashed.
    Died,
}

impl Ending {
    pub(super) fn read(console: &str) -> Self {
        let last = console.lines().rev().find_map(|line| line.split_once("reboot: ").map(|(_, what)| what.trim()));
        match last {
            Some("Power down" | "System halted") => Self::PoweredOff,
            Some("Restarting system") => Self::Restarting,
            _ => Self::Died,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::uml::Uml;
    use crate::lab::{Memory, Options, topology};

    #[test]
    fn a_command_line_holds_no_secret_and_nothing_absolute_but_the_base() {
        let options = Options { disks: vec![Memory::mebibytes(64); 2], ..Options::new("lab".parse().unwrap()) };
        let record = Record {
            hosts: topology::hosts(&options),
            options,
            base: "/cache/base.img".into(),
            kernel: Uml::packaged(),
        };
        insta::assert_snapshot!(arguments(&record, &record.hosts[1]).join("\n"));
    }

    #[test]
    fn the_console_tells_how_it_ended() {
        assert_eq!(Ending::read("[ 9.0] reboot: Restarting system\n\n"), Ending::Restarting);
        assert_eq!(Ending::read("x\nreboot: Power down\r\n"), Ending::PoweredOff);
        assert_eq!(Ending::read("reboot: System halted"), Ending::PoweredOff);
        assert_eq!(Ending::read("Kernel panic - not syncing"), Ending::Died);
        assert_eq!(Ending::read(""), Ending::Died);
    }
}
