//! Which kernel modules there are: loaded, built in, or on disk for the running kernel.

use std::collections::BTreeSet;

use super::super::machine::Machine;
use super::super::proc;
use super::super::protocol::{Failure, Probed};

/// Whether the running kernel has the module, loaded or not.
pub(super) fn kernel_has(machine: &Machine, name: &str) -> Result<bool, Failure> {
    Ok(lacking(machine, &[name.to_owned()])?.is_empty())
}

pub(super) fn missing(machine: &Machine, names: &[String]) -> Result<Probed, Failure> {
    lacking(machine, names).map(|names| Probed::Missing { names })
}

fn lacking(machine: &Machine, names: &[String]) -> Result<Vec<String>, Failure> {
    let text = |path: &str| machine.text(path).map(Option::unwrap_or_default);
    let release = text("/proc/sys/kernel/osrelease")?;
    let directory = format!("/lib/modules/{}", release.trim());
    let mut there: BTreeSet<String> = proc::modules(&text("/proc/modules")?).map(str::to_owned).collect();
    for list in ["modules.dep", "modules.builtin"] {
        there.extend(text(&format!("{directory}/{list}"))?.lines().filter_map(name));
    }
    let mut missing = Vec::new();
    for name in names {
        let plain = name.replace('-', "_");
        if !there.contains(&plain) && !machine.exists(&format!("/sys/module/{plain}"))? {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

/// `br_netfilter` of `kernel/net/bridge/br-netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz`.
fn name(line: &str) -> Option<String> {
    let file = line.split(':').next()?.rsplit('/').next()?;
    Some(file.split('.').next()?.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn a_module_may_be_loaded_built_in_or_on_disk() {
        let host = Scripted::new();
        host.put("/proc/sys/kernel/osrelease", "6.1.0\n");
        host.put("/proc/modules", "loaded 16384 0 - Live 0x0\n");
        host.put("/lib/modules/6.1.0/modules.dep", "kernel/net/on-disk.ko.xz: kernel/net/other.ko.xz\n");
        host.put("/lib/modules/6.1.0/modules.builtin", "kernel/fs/built_in.ko\n");
        host.put("/sys/module/shown/x", "");
        let names = ["loaded", "on_disk", "built-in", "shown", "nowhere", "other"].map(str::to_owned);
        let Probed::Missing { names } = missing(&host.machine, &names).unwrap() else { panic!("another answer") };
        assert_eq!(names, ["nowhere", "other"]);
    }
}
