//! Operating system, kernel, CPUs, memory and systemd.

use super::super::command::Command;
use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::cluster::Facts;

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let line = |path: &str| machine.text(path).map(|text| text.unwrap_or_default().trim().to_owned());
    let release = match machine.text("/etc/os-release")? {
        Some(release) => release,
        None => machine.text("/usr/lib/os-release")?.unwrap_or_default(),
    };
    facts.os = setting(&release, "PRETTY_NAME").unwrap_or_default();
    facts.os_id = setting(&release, "ID").unwrap_or_default();
    facts.kernel = line("/proc/sys/kernel/osrelease")?;
    // The agent is a program of the machine that it runs on.
    facts.arch = std::env::consts::ARCH.to_owned();
    facts.hostname = line("/proc/sys/kernel/hostname")?;
    facts.machine_id = line("/etc/machine-id")?;
    facts.product_uuid = line("/sys/class/dmi/id/product_uuid")?;
    facts.boot_id = line("/proc/sys/kernel/random/boot_id")?;
    facts.cpus = count(&line("/sys/devices/system/cpu/online")?);
    if facts.cpus == 0 {
        facts.cpus = processors(&machine.text("/proc/cpuinfo")?.unwrap_or_default());
    }
    facts.memory = memory(&machine.text("/proc/meminfo")?.unwrap_or_default());
    facts.cgroup_version = if machine.exists("/sys/fs/cgroup/cgroup.controllers")? { 2 } else { 1 };
    if super::super::systemd::is_there(machine)? {
        facts.systemd = version(machine)?;
    }
    Ok(())
}

/// A value of /etc/os-release, without its quotes.
fn setting(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?.trim();
    let bare = value.strip_prefix(['"', '\'']).and_then(|value| value.strip_suffix(['"', '\'']));
    Some(bare.unwrap_or(value).to_owned())
}

/// How many numbers are in a list such as `0-3,8`.
fn count(list: &str) -> u32 {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(last.trim().parse::<u32>().ok()?.checked_sub(first.trim().parse().ok()?)? + 1)
    };
    list.split(',').filter_map(range).sum()
}

/// Kernels without SMP have no list of CPUs.
fn processors(cpuinfo: &str) -> u32 {
    let lines = cpuinfo.lines().filter(|line| line.split(':').next().is_some_and(|key| key.trim() == "processor"));
    u32::try_from(lines.count()).unwrap_or(u32::MAX).max(1)
}

fn memory(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    total.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Where distributions put the library that all of systemd's programs share; its name has the version.
const LIBRARIES: [&str; 5] = [
    "/usr/lib/systemd",
    "/lib/systemd",
    "/usr/lib64/systemd",
    "/usr/lib/x86_64-linux-gnu/systemd",
    "/usr/lib/aarch64-linux-gnu/systemd",
];

/// The version, without starting a program where that can be.
fn version(machine: &Machine) -> Result<u32, Failure> {
    for directory in LIBRARIES {
        let names = machine.names(directory)?;
        if let Some(version) = names.iter().find_map(|name| name.strip_prefix("libsystemd-shared-")) {
            return Ok(leading(version));
        }
    }
    let output = machine.system.run(&Command::new("systemctl").arg("--version"));
    Ok(systemd(&output.map_err(|error| Failure::command("facts", &error))?.text()))
}

/// `systemd 252 (252.39-1~deb12u1)`.
fn systemd(text: &str) -> u32 {
    let word = text.strip_prefix("systemd ").and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    leading(word)
}

/// The number at the beginning of `252.so`, `255.4-1ubuntu8.so` or `257~rc1`.
fn leading(word: &str) -> u32 {
    word.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_in_its_spellings() {
        let text =
            "NAME=x\nPRETTY_NAME='CentOS Linux 7 (Core)'\nVERSION_ID=\"7\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n";
        assert_eq!(setting(text, "PRETTY_NAME").as_deref(), Some("CentOS Linux 7 (Core)"));
        assert_eq!(setting(text, "ID").as_deref(), Some("centos"));
        assert_eq!(setting("ID=debian", "ID").as_deref(), Some("debian"));
        assert_eq!(setting("ID=\"", "ID").as_deref(), Some("\""));
        assert_eq!(setting("", "ID"), None);
    }

    #[test]
    fn numbers_of_all_sorts() {
        for (list, expected) in [("0", 1), ("0-3", 4), ("0-3,8,10-11", 7), ("", 0), ("x", 0), ("3-1", 0)] {
            assert_eq!(count(list), expected, "{list}");
        }
        assert_eq!(processors("processor\t: 0\nmodel name\t: processor\n\nprocessor\t: 1\n"), 2);
        assert_eq!(processors(""), 1);
        assert_eq!(memory("MemTotal:       24663716 kB\nMemFree: 1 kB\n"), 24_663_716 << 10);
        for (text, expected) in
            [("systemd 252 (252.39)\n+PAM", 252), ("systemd 219\n", 219), ("systemd 257~rc1 (x)", 257), ("", 0)]
        {
            assert_eq!(systemd(text), expected, "{text}");
        }
    }
}
