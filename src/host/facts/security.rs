//! What judges programs beside permissions, and what keys are made of.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::tool::has_tool;
use crate::cluster::{Facts, SecurityModules, Selinux};

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let text = |path: &str| machine.text(path).map(|text| text.map(|text| text.trim().to_owned()));
    facts.security = SecurityModules {
        selinux: selinux(text("/sys/fs/selinux/enforce")?.as_deref()),
        apparmor: text("/sys/module/apparmor/parameters/enabled")?.as_deref() == Some("Y"),
        apparmor_parser: has_tool(machine, "apparmor_parser"),
        restricts_user_namespaces: text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")?.as_deref()
            == Some("1"),
    };
    if runs_out(&text("/proc/sys/kernel/osrelease")?.unwrap_or_default()) {
        facts.entropy = text("/proc/sys/kernel/random/entropy_avail")?.and_then(|bits| bits.parse().ok());
    }
    Ok(())
}

/// A kernel without SELinux has no such file, and neither has one on which it is disabled.
fn selinux(enforce: Option<&str>) -> Selinux {
    match enforce {
        None => Selinux::Absent,
        Some("0") => Selinux::Permissive,
        Some(_) => Selinux::Enforcing,
    }
}

/// Since Linux 5.18 the pool is full once and for all, and always says 256.
fn runs_out(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < (5, 18),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn kernels_that_run_out_of_entropy_are_old() {
        for (release, expected) in [
            ("3.10.0-1160.el7.x86_64", true),
            ("5.17.9", true),
            ("5.18.0-1", false),
            ("6.1.0-41-amd64", false),
            ("", false),
        ] {
            assert_eq!(runs_out(release), expected, "{release}");
        }
    }

    #[test]
    fn what_judges_is_read_where_it_is() {
        let host = Scripted::new();
        let look = |host: &Scripted| {
            let mut facts = Facts::default();
            gather(&host.machine, &mut facts).unwrap();
            (facts.security, facts.entropy)
        };
        assert_eq!(look(&host), (SecurityModules::default(), None));
        host.put("/sys/fs/selinux/enforce", "1");
        host.put("/sys/module/apparmor/parameters/enabled", "Y\n");
        host.put("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        host.put("/proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n");
        host.put("/proc/sys/kernel/random/entropy_avail", "87\n");
        let all = SecurityModules {
            selinux: Selinux::Enforcing,
            apparmor: true,
            apparmor_parser: false,
            restricts_user_namespaces: true,
        };
        assert_eq!(look(&host), (all, Some(87)));
        host.put("/sys/fs/selinux/enforce", "0");
        assert_eq!(look(&host).0.selinux, Selinux::Permissive);
    }
}
