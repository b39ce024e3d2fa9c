//! Data disks on a scripted host: the whole way, and a run that is killed at each step of it.

use std::fs;

use super::super::super::disk::tests::{UUID, disk, make_ext4, plug_in, write};
use super::super::super::disk::{Device, Note, Phase};
use super::*;
use crate::cluster::{DeviceRule, DiskUse};
use crate::desired::disk::Disks;

const MKFS: &str = "mkfs.ext4 -q -F -U 01234567-89ab-8def-8123-456789abcdef -m 0 \
                    -E lazy_itable_init=0,lazy_journal_init=0 /dev/vdb";
const MOUNT: &str = "mount -t ext4 -o noatime /dev/vdb /var/lib/etcd";
const MOUNTED: &str = "30 1 254:16 / /var/lib/etcd rw - ext4 /dev/vdb rw\n";
const NOTE: &str = "/var/lib/kubewright/disks/etcd";

fn parts() -> [PartState; 1] {
    let disks = vec![disk(DiskUse::Etcd, DeviceRule::Path("/dev/vdb".into()))];
    [part(Part::Disks, vec![Resource::Disks(Disks { disks })])]
}

fn host() -> Scripted {
    let host = Scripted::new();
    plug_in(&host, "vdb", "254:16", 16);
    host.put("/proc/self/mountinfo", "");
    host.put("/proc/sys/kernel/random/boot_id", "one\n");
    host
}

fn expect_format(host: &Scripted) {
    host.expect_effect(MKFS, "", |root| {
        let note = fs::read_to_string(root.join(&NOTE[1..])).unwrap();
        assert!(note.contains("\"formatting\""), "the note comes first: {note}");
        make_ext4(root, "vdb", UUID);
    });
}

fn expect_mount(host: &Scripted) {
    host.expect_effect(MOUNT, "", |root| {
        let note = fs::read_to_string(root.join(&NOTE[1..])).unwrap_or_else(|_| "formatted".into());
        assert!(note.contains("formatted"), "a whole file system is noted before it is used: {note}");
        fs::write(root.join("proc/self/mountinfo"), MOUNTED).unwrap();
    });
}

#[test]
fn a_blank_disk_is_formatted_and_mounted_once() {
    let host = host();
    expect_format(&host);
    expect_mount(&host);
    insta::assert_snapshot!(settles(&host, &parts()), @"Create disk for etcd: format /dev/vdb (16 MiB) with ext4, mount it at /var/lib/etcd");
    host.done();
    assert!(host.at("/var/lib/etcd").is_dir() && !host.at(NOTE).exists());
    // After a reset, or with the host installed anew: the disk is known again and not formatted.
    host.put("/proc/self/mountinfo", "");
    expect_mount(&host);
    insta::assert_snapshot!(settles(&host, &parts()), @"Update disk for etcd: mount /dev/vdb (16 MiB) at /var/lib/etcd");
    host.done();
}

#[test]
fn a_disk_with_data_is_told_in_a_plan_and_never_touched() {
    let host = host();
    write(&host, "vdb", 9000, b"precious");
    let before = fs::read(host.at("/dev/vdb")).unwrap();
    let told = lines(&changes(&host, &parts()));
    assert!(
        told.contains("cannot be done: /dev/vdb (16 MiB) is not blank: it holds data: the byte at offset 9000"),
        "{told}"
    );
    let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    assert!(failure.hint.unwrap().contains("wipefs --all /dev/vdb"));
    assert_eq!(fs::read(host.at("/dev/vdb")).unwrap(), before);
    assert!(!host.at(NOTE).exists() && !host.at("/var/lib/etcd").exists());
    host.done();
}

#[test]
fn what_mkfs_and_mount_claim_is_proven() {
    let host = host();
    host.expect(MKFS, "");
    let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("has no ext4 with the UUID"), "{failure}");
    expect_format(&host);
    host.expect(MOUNT, "");
    let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("is not mounted at /var/lib/etcd"), "{failure}");
    host.done();
}

/// Where a run was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    BeforeMkfs,
    DuringMkfs,
    AfterMkfs,
    BeforeMount,
    AfterMount,
}

/// The host as a run leaves it that is killed there.
fn killed(host: &Scripted, at: Killed) {
    match at {
        Killed::BeforeMkfs => host.expect_failure(MKFS, "killed"),
        Killed::DuringMkfs => host.expect_killed(MKFS, |root| {
            let file = fs::OpenOptions::new().write(true).open(root.join("dev/vdb")).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, b"half", 8192).unwrap();
        }),
        Killed::AfterMkfs => host.expect_killed(MKFS, |root| make_ext4(root, "vdb", UUID)),
        Killed::BeforeMount => {
            expect_format(host);
            host.expect_failure(MOUNT, "killed");
        }
        Killed::AfterMount => {
            expect_format(host);
            host.expect_killed(MOUNT, |root| fs::write(root.join("proc/self/mountinfo"), MOUNTED).unwrap());
        }
    }
    converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    host.done();
}

#[test]
fn a_run_that_was_killed_anywhere_is_gone_on_with() {
    use Killed::{AfterMkfs, AfterMount, BeforeMkfs, BeforeMount, DuringMkfs};
    // Whether the next run formats, mounts, or refuses; with a name that lasts, and after a reboot without one.
    for (at, with_serial, formats, mounts, refused_without) in [
        (BeforeMkfs, true, true, true, false),
        (BeforeMkfs, false, true, true, false),
        (DuringMkfs, true, true, true, false),
        (DuringMkfs, false, true, true, true),
        (AfterMkfs, true, true, true, false),
        (AfterMkfs, false, true, true, true),
        (BeforeMount, true, false, true, false),
        (BeforeMount, false, false, true, false),
        (AfterMount, true, false, false, false),
        (AfterMount, false, false, false, false),
    ] {
        for reboot in [false, true] {
            let case = format!("{at:?}, serial {with_serial}, reboot {reboot}");
            let host = host();
            if with_serial {
                host.put("/sys/class/block/vdb/serial", "S3RIAL\n");
            }
            killed(&host, at);
            assert_eq!(host.at(NOTE).exists(), at != BeforeMkfs, "{case}");
            let mut mounts = mounts;
            if reboot {
                host.put("/proc/sys/kernel/random/boot_id", "two\n");
                host.put("/proc/self/mountinfo", "");
                // fstab names the disk only after its note is gone.
                mounts = true;
            }
            if reboot && refused_without {
                let before = fs::read(host.at("/dev/vdb")).unwrap();
                assert!(converge(&host.machine, &parts(), &mut |_| {}).is_err(), "{case}: not refused");
                assert_eq!(fs::read(host.at("/dev/vdb")).unwrap(), before, "{case}");
                continue;
            }
            if formats {
                expect_format(&host);
            }
            if mounts {
                expect_mount(&host);
            }
            make(&host, &parts());
            host.done();
            assert_eq!(changes(&host, &parts()), [], "{case}");
            assert!(!host.at(NOTE).exists(), "{case}");
        }
    }
}

#[test]
fn data_of_a_former_cluster_are_unmounted_again() {
    let host = host();
    make_ext4(host.directory(), "vdb", UUID);
    host.expect_effect(MOUNT, "", |root| {
        fs::create_dir_all(root.join("var/lib/etcd/member")).unwrap();
        fs::write(root.join("proc/self/mountinfo"), MOUNTED).unwrap();
    });
    host.expect("umount /var/lib/etcd", "");
    let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("data of a former cluster (member)"), "{failure}");
    host.done();
}

#[test]
fn what_somebody_has_made_of_a_disk_since_is_not_taken_for_half_made() {
    let host = host();
    host.put("/sys/class/block/vdb/serial", "S3RIAL\n");
    killed(&host, Killed::DuringMkfs);
    make_ext4(host.directory(), "vdb", "00000000-0000-0000-0000-000000000001");
    let before = fs::read(host.at("/dev/vdb")).unwrap();
    let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("holds an ext2, ext3 or ext4 file system with the UUID 00000000"), "{failure}");
    assert_eq!(fs::read(host.at("/dev/vdb")).unwrap(), before);
}

#[test]
fn a_run_that_was_killed_before_the_first_byte_is_gone_on_with() {
    for boot in ["one", "two"] {
        let host = host();
        let disk = disk(DiskUse::Etcd, DeviceRule::Path("/dev/vdb".into()));
        let device = Device::at(&host.machine, "/dev/vdb").unwrap().unwrap();
        Note::write(&host.machine, &disk, &device, Phase::Formatting).unwrap();
        host.put("/proc/sys/kernel/random/boot_id", &format!("{boot}\n"));
        expect_format(&host);
        expect_mount(&host);
        make(&host, &parts());
        host.done();
        assert_eq!(changes(&host, &parts()), []);
    }
}

#[test]
fn a_number_that_tells_nothing_is_no_identity() {
    for (own, other) in [("(null)", "x"), ("0000", "x"), ("S3RIAL", "S3RIAL")] {
        let host = host();
        plug_in(&host, "vdc", "254:32", 16);
        host.put("/sys/class/block/vdb/serial", &format!("{own}\n"));
        host.put("/sys/class/block/vdc/serial", &format!("{other}\n"));
        killed(&host, Killed::DuringMkfs);
        // After the next boot the name may be another disk's.
        host.put("/proc/sys/kernel/random/boot_id", "two\n");
        let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
        assert!(failure.why.contains("is not blank"), "{own}: {failure}");
    }
}
