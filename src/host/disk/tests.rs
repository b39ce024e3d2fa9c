//! Disks that are files: what is chosen, and what is refused with which words.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};

use super::super::testing::Scripted;
use super::*;
use crate::cluster::{DeviceRule, DiskLayout, DiskUse, Filesystem, SizeRule};
use crate::desired::disk::Disk;

pub(in crate::host) const UUID: &str = "01234567-89ab-8def-8123-456789abcdef";

/// A whole disk, blank.
pub(in crate::host) fn plug_in(host: &Scripted, name: &str, number: &str, mebibytes: u64) {
    let own = format!("/sys/class/block/{name}");
    host.put(&format!("{own}/size"), &format!("{}\n", mebibytes * 2048));
    host.put(&format!("{own}/dev"), &format!("{number}\n"));
    host.put(&format!("{own}/queue/rotational"), "0\n");
    host.put(&format!("{own}/ro"), "0\n");
    fs::create_dir_all(host.at(&format!("{own}/device"))).unwrap();
    fs::create_dir_all(host.at(&format!("{own}/holders"))).unwrap();
    host.put(&format!("/dev/{name}"), "");
    OpenOptions::new().write(true).open(host.at(&format!("/dev/{name}"))).unwrap().set_len(mebibytes << 20).unwrap();
}

pub(in crate::host) fn write(host: &Scripted, name: &str, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(host.at(&format!("/dev/{name}"))).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

/// What mkfs.ext4 leaves, as far as it is looked at.
pub(in crate::host) fn make_ext4(root: &std::path::Path, name: &str, uuid: &str) {
    let file = OpenOptions::new().write(true).open(root.join("dev").join(name)).unwrap();
    file.write_all_at(b"\x53\xef", 0x438).unwrap();
    let hex = uuid.replace('-', "");
    let bytes: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    file.write_all_at(&bytes, 0x468).unwrap();
}

pub(in crate::host) fn disk(purpose: DiskUse, device: DeviceRule) -> Disk {
    Disk {
        purpose,
        device,
        layout: DiskLayout::Plain,
        filesystem: Filesystem::Ext4,
        uuid: UUID.into(),
        options: vec!["noatime".into()],
        must_be_empty: true,
    }
}

fn at(path: &str) -> Disk {
    disk(DiskUse::Etcd, DeviceRule::Path(path.into()))
}

fn least(mebibytes: u64) -> Disk {
    disk(DiskUse::Etcd, DeviceRule::Size(SizeRule { least: mebibytes << 20, most: u64::MAX, rotational: Some(false) }))
}

/// A system disk with a partition, and two blank ones.
fn host() -> Scripted {
    let host = Scripted::new();
    plug_in(&host, "vda", "254:0", 64);
    host.put("/sys/class/block/vda/vda1/partition", "1\n");
    host.put("/proc/self/mountinfo", "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    plug_in(&host, "vdb", "254:16", 16);
    plug_in(&host, "vdc", "254:32", 32);
    host
}

fn why(host: &Scripted, disk: &Disk) -> String {
    let failure = decide(&host.machine, std::slice::from_ref(disk)).remove(0).unwrap_err();
    assert!(failure.hint.is_some(), "{failure}");
    failure.why
}

fn chosen(host: &Scripted, disk: &Disk) -> Decision {
    decide(&host.machine, std::slice::from_ref(disk)).remove(0).unwrap_or_else(|failure| panic!("{failure}"))
}

fn named(decision: Decision) -> (&'static str, String) {
    match decision {
        Decision::InPlace => ("in place", String::new()),
        Decision::Mount(device) => ("mount", device.name),
        Decision::Format(device) => ("format", device.name),
        Decision::FormatAnew(device, _) => ("format anew", device.name),
    }
}

#[test]
fn a_blank_disk_is_found_by_path_link_and_size() {
    let host = host();
    fs::create_dir_all(host.at("/dev/disk/by-id")).unwrap();
    symlink("../../vdc", host.at("/dev/disk/by-id/virtio-ABC")).unwrap();
    assert_eq!(named(chosen(&host, &at("/dev/vdb"))), ("format", "vdb".into()));
    assert_eq!(named(chosen(&host, &at("/dev/disk/by-id/virtio-ABC"))), ("format", "vdc".into()));
    // The system's own disk is larger still, and in use.
    assert_eq!(named(chosen(&host, &least(20))), ("format", "vdc".into()));
}

#[test]
fn whatever_is_on_a_disk_is_named() {
    let end = (16 << 20) - 1;
    for (offset, bytes, words) in [
        (0, &b"XFSB"[..], "holds an XFS file system with the UUID 00000000-0000-0000-0000-000000000000"),
        (0x438, b"\x53\xef", "holds an ext2, ext3 or ext4 file system with the UUID"),
        (0x10040, b"_BHRfS_M", "holds a btrfs file system"),
        (512, b"LABELONE", "holds a physical volume of LVM"),
        (512, b"EFI PART", "holds a GPT partition table"),
        (510, b"\x55\xaa", "holds an MBR partition table"),
        (0xff6, b"SWAPSPACE2", "holds a swap area"),
        (0, b"LUKS\xba\xbe", "holds an encrypted volume"),
        (77, b"x", "holds data: the byte at offset 77 is not zero"),
        (end, b"x", "holds data: the byte at offset 16777215 is not zero"),
        (8 << 20, b"", ""),
    ] {
        let host = host();
        write(&host, "vdb", offset, bytes);
        if words.is_empty() {
            assert_eq!(named(chosen(&host, &at("/dev/vdb"))).0, "format");
            continue;
        }
        let why = why(&host, &at("/dev/vdb"));
        assert!(why.starts_with("/dev/vdb (16 MiB) is not blank: it ") && why.contains(words), "{words}: {why}");
    }
}

#[test]
fn a_small_disk_is_read_as_a_whole_and_an_unreadable_one_is_an_error() {
    let host = host();
    plug_in(&host, "vdd", "254:48", 1);
    assert_eq!(named(chosen(&host, &at("/dev/vdd"))).0, "format");
    write(&host, "vdd", (1 << 20) - 1, b"x");
    assert!(why(&host, &at("/dev/vdd")).contains("offset 1048575"));
    // Shorter than the kernel says: what is behind the end cannot be read.
    host.put("/sys/class/block/vdb/size", "65536\n");
    let failure = decide(&host.machine, &[at("/dev/vdb")]).remove(0).unwrap_err();
    assert!(failure.what.contains("reading /dev/vdb"), "{failure}");
}

#[test]
fn who_uses_a_disk_is_named() {
    let host = host();
    assert!(why(&host, &at("/dev/vda")).contains("has partitions: vda1"));
    host.put("/sys/class/block/vdb/holders/dm-0", "");
    assert!(why(&host, &at("/dev/vdb")).contains("is part of dm-0"));
    host.put("/proc/self/mountinfo", "30 1 254:32 / /srv rw - xfs /dev/mapper/x rw\n");
    assert!(why(&host, &at("/dev/vdc")).contains("is mounted at /srv"));
    host.put("/proc/self/mountinfo", "");
    host.put("/proc/swaps", "Filename Type\n/dev/vdc partition 1 0 -2\n");
    assert!(why(&host, &at("/dev/vdc")).contains("is swapped to"));
    host.put("/proc/swaps", "");
    host.put("/sys/class/block/vdc/ro", "1\n");
    assert!(why(&host, &at("/dev/vdc")).contains("can only be read"));
}

#[test]
fn a_rule_that_fits_none_or_several_is_refused_with_what_there_is() {
    let host = host();
    assert!(why(&host, &at("/dev/vdz")).contains("there is no /dev/vdz"));
    assert_eq!(
        why(&host, &least(8)),
        "several blank disks are like that: /dev/vdb (16 MiB), /dev/vdc (32 MiB); wanted is a disk of at least 8 MiB that does not spin"
    );
    assert!(why(&host, &least(1 << 20)).contains("the host has no disk like that"));
    write(&host, "vdc", 0, b"XFSB");
    assert!(why(&host, &least(20)).contains("no blank disk: wanted is a disk of at least 20 MiB that does not spin, but /dev/vda (64 MiB) has partitions: vda1; /dev/vdc (32 MiB) holds an XFS file system"));
    host.put("/sys/class/block/vdb/removable", "1\n");
    assert!(why(&host, &least(16)).contains("no blank disk"), "a stick is not taken by its size");
    host.put("/dev/file", "");
    let failure = decide(&host.machine, &[at("/dev/file")]).remove(0).unwrap_err();
    assert!(failure.why.contains("not a block device"), "{failure}");
}

#[test]
fn two_disks_are_never_one_device() {
    let host = host();
    fs::create_dir_all(host.at("/dev/disk/by-id")).unwrap();
    symlink("../../vdb", host.at("/dev/disk/by-id/x")).unwrap();
    let other = |device| Disk { uuid: "f".repeat(36), ..disk(DiskUse::Logs, device) };
    let twice = [at("/dev/vdb"), other(DeviceRule::Path("/dev/disk/by-id/x".into()))];
    let refused = decide(&host.machine, &twice);
    assert!(refused.iter().all(|one| one.as_ref().unwrap_err().why.contains("would be for")), "{refused:?}");
    // What one names by its path is not taken for another by its size.
    let rule = DeviceRule::Size(SizeRule { least: 1, most: u64::MAX, rotational: None });
    let both = decide(&host.machine, &[at("/dev/vdb"), other(rule)]);
    let both: Vec<_> = both.into_iter().map(|one| named(one.unwrap()).1).collect();
    assert_eq!(both, ["vdb", "vdc"]);
}

#[test]
fn a_disk_of_ours_is_known_again_by_its_uuid() {
    let host = host();
    make_ext4(host.directory(), "vdc", UUID);
    // Under another name than in the inventory: names change.
    assert_eq!(named(chosen(&host, &at("/dev/vdb"))), ("mount", "vdc".into()));
    host.put("/proc/self/mountinfo", "30 1 254:32 / /var/lib/etcd rw - ext4 /dev/vdc rw\n");
    assert_eq!(chosen(&host, &at("/dev/vdb")), Decision::InPlace);
    host.put("/proc/self/mountinfo", "30 1 254:32 / /mnt rw - ext4 /dev/vdc rw\n");
    assert!(why(&host, &at("/dev/vdb")).contains("/dev/vdc is mounted at /mnt"));
    host.put("/proc/self/mountinfo", "");
    make_ext4(host.directory(), "vdb", UUID);
    assert!(why(&host, &at("/dev/vdb")).contains("have the same file system"));
    // Two paths to one disk are held by the device that joins them.
    host.put("/sys/class/block/vdb/holders/dm-0", "");
    assert_eq!(named(chosen(&host, &at("/dev/vdb"))), ("mount", "vdc".into()));
    // With another kind of file system it is another one.
    let xfs = Disk { filesystem: Filesystem::Xfs, ..at("/dev/vdc") };
    assert!(
        why(&host, &xfs).contains("is not blank: it holds an ext2, ext3 or ext4 file system with the UUID 01234567")
    );
}

#[test]
fn a_mount_of_others_in_fstab_is_not_doubled() {
    let host = host();
    let ours = "# BEGIN kubewright disk-etcd\nUUID=old /var/lib/etcd ext4 noatime 0 2\n# END kubewright disk-etcd\n";
    host.put("/etc/fstab", &format!("# /dev/sdb /var/lib/etcd ext4 x 0 0\n{ours}/dev/sdc /srv xfs x 0 0\n"));
    assert_eq!(named(chosen(&host, &at("/dev/vdb"))).0, "format");
    host.put("/etc/fstab", &format!("{ours}LABEL=etcd\t/var/lib/etcd\txfs\tdefaults\t0\t0\n"));
    assert!(why(&host, &at("/dev/vdb")).contains("/etc/fstab mounts something else at /var/lib/etcd: LABEL=etcd"));
}

#[test]
fn data_are_never_hidden() {
    let host = host();
    host.put("/var/lib/etcd/member/wal", "");
    assert!(why(&host, &at("/dev/vdb")).contains("/var/lib/etcd is not empty: member would be hidden"));
    make_ext4(host.directory(), "vdc", UUID);
    assert!(why(&host, &at("/dev/vdb")).contains("would be hidden"));
    host.put("/proc/self/mountinfo", "30 1 254:16 / /var/lib/etcd rw - ext4 /dev/vdb rw\n");
    assert!(why(&host, &at("/dev/vdb")).contains("another file system is mounted at /var/lib/etcd: /dev/vdb"));
}
