//! Takes data disks out of use: they are unmounted and leave /etc/fstab. Their file systems stay, empty by now, for the
//! next install to find; nothing is formatted or wiped. Disks that the operator has mounted himself stay mounted.

use std::fs;

use super::super::protocol::{Action, Failure};
use super::super::resource::{blocks, swap, without_blocks};
use super::super::tool::tool;
use super::{Work, files};
use crate::desired::state::Part;

const FSTAB: &str = "/etc/fstab";

pub(super) fn release(work: &mut Work) {
    let fstab = work.look(work.machine.text(FSTAB)).unwrap_or_default();
    let edited = without_blocks(&fstab).map_err(|why| {
        Failure::new(format!("taking our blocks out of {FSTAB}"), why).hint("mend the markers by hand and reset again")
    });
    let Some(rest) = work.look(edited) else { return };
    let failures = work.failures.len();
    for path in places(&fstab).iter().rev() {
        let mounted = work.look(files::mounted(work.machine));
        if mounted.iter().any(|mount| mount == path) {
            work.step(Part::Disks, format!("mount {path}"), Action::Remove, "unmounted", |machine| {
                let unmounted = Work::run(machine, &format!("mount {path}"), &tool(machine, "umount").arg(path));
                unmounted.map_err(|failure| failure.hint(format!("end whatever uses {path}, and reset again")))
            });
        }
        // What was there before the first install is an empty directory, or none.
        let _ = fs::remove_dir(work.machine.root.at(path));
    }
    // What is still mounted must be found again.
    if work.failures.len() == failures {
        work.step(Part::Disks, format!("disks in {FSTAB}"), Action::Remove, "taken away", |machine| {
            swap::rewrite(machine, &rest)
        });
    }
}

/// Mount points in our blocks.
fn places(fstab: &str) -> Vec<String> {
    let lines = blocks(fstab);
    lines.iter().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    const FSTAB: &str = "/dev/sda1 / ext4 defaults 0 1\n# BEGIN kubewright disk-etcd\nUUID=x /var/lib/etcd ext4 noatime,nofail 0 2\n\
        # END kubewright disk-etcd\nUUID=z /srv xfs defaults 0 0\n";
    const MOUNTS: &str = "/dev/sda1 / ext4 rw 0 0\n/dev/vdc /srv xfs rw 0 0\n/dev/vdb /var/lib/etcd ext4 rw 0 0\n";

    fn released(host: &Scripted) -> (Vec<String>, usize) {
        let mut events = |_| {};
        let mut work = Work { machine: &host.machine, events: &mut events, parts: Vec::new(), failures: Vec::new() };
        release(&mut work);
        let changes = work.parts.iter().flat_map(|part| &part.changes);
        (changes.map(|change| format!("{}: {}", change.resource, change.summary)).collect(), work.failures.len())
    }

    #[test]
    fn fstab_is_what_it_was_and_the_disks_of_others_stay() {
        let host = Scripted::new();
        host.put("/etc/fstab", FSTAB);
        host.put("/proc/mounts", MOUNTS);
        fs::create_dir_all(host.at("/var/lib/etcd")).unwrap();
        host.expect_failure("umount /var/lib/etcd", "target is busy");
        assert_eq!(released(&host), (Vec::new(), 1));
        assert_eq!(host.get("/etc/fstab"), FSTAB, "still mounted, still ours");
        host.expect_effect("umount /var/lib/etcd", "", |root| fs::write(root.join("proc/mounts"), "").unwrap());
        let (changes, failures) = released(&host);
        assert_eq!(changes, ["mount /var/lib/etcd: unmounted", "disks in /etc/fstab: taken away"]);
        assert_eq!(
            (host.get("/etc/fstab").as_str(), failures),
            ("/dev/sda1 / ext4 defaults 0 1\nUUID=z /srv xfs defaults 0 0\n", 0)
        );
        assert!(!host.at("/var/lib/etcd").exists());
        assert_eq!(released(&host), (Vec::new(), 0));
        host.done();
    }
}
