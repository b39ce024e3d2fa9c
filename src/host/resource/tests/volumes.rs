//! Data disks with a volume group: a run that is killed on the way to it, and the thin pool in it.

use std::fs;
use std::path::Path;

use super::super::super::disk::tests::{UUID, disk, make_ext4, plug_in, write};
use super::super::super::disk::{Device, Note, Phase};
use super::*;
use crate::cluster::{DeviceRule, DiskLayout, DiskUse, ThinPool};
use crate::desired::disk::{Disk, Disks};

const LABEL: &str = "lvm pvs --noheadings --separator | --options vg_name,vg_tags,pv_count /dev/vdb";
const VOLUMES: &str = "lvm lvs --noheadings --separator | --options lv_name kubewright-etcd";
const REMOVE: &str = "lvm vgremove --yes --force kubewright-etcd";
const GROUP: &str = "lvm vgcreate --yes --addtag kubewright kubewright-etcd /dev/vdb";
const VOLUME: &str = "lvm lvcreate --yes --wipesignatures y --extents 100%FREE --name data kubewright-etcd";
const MKFS: &str = "mkfs.ext4 -q -F -U 01234567-89ab-8def-8123-456789abcdef -m 0 \
                    -E lazy_itable_init=0,lazy_journal_init=0 /dev/dm-0";
const MOUNT: &str = "mount -t ext4 -o noatime /dev/dm-0 /var/lib/etcd";
const MOUNTED: &str = "30 1 253:0 / /var/lib/etcd rw - ext4 /dev/mapper/kubewright--etcd-data rw\n";
const NOTE: &str = "/var/lib/kubewright/disks/etcd";
const OURS: &str = "  kubewright-etcd|kubewright|1\n";

fn volume() -> Disk {
    Disk { layout: DiskLayout::Lvm, ..disk(DiskUse::Etcd, DeviceRule::Path("/dev/vdb".into())) }
}

fn parts() -> [PartState; 1] {
    [part(Part::Disks, vec![Resource::Disks(Disks { disks: vec![volume()] })])]
}

fn host() -> Scripted {
    let host = Scripted::new();
    plug_in(&host, "vdb", "254:16", 16);
    host.put("/sys/class/block/vdb/serial", "S3RIAL\n");
    host.put("/proc/self/mountinfo", "");
    host.put("/proc/sys/kernel/random/boot_id", "one\n");
    host
}

fn label(host: &Scripted) {
    write(host, "vdb", 512, b"LABELONE");
}

/// The logical volume, awake.
fn wake(host: &Scripted, group: &str) {
    plug_in(host, "dm-0", "253:0", 12);
    fs::remove_dir_all(host.at("/sys/class/block/dm-0/device")).unwrap();
    fs::create_dir_all(host.at(&format!("/dev/{group}"))).unwrap();
    symlink("../dm-0", host.at(&format!("/dev/{group}/data"))).unwrap();
    fs::create_dir_all(host.at("/sys/class/block/vdb/holders/dm-0")).unwrap();
    fs::create_dir_all(host.at("/sys/class/block/dm-0/slaves/vdb")).unwrap();
}

/// Where a run was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    BeforeTheLabel,
    BeforeTheGroup,
    BeforeTheVolume,
    BeforeMkfs,
    DuringMkfs,
    AfterMkfs,
}

/// The host as a run leaves it that is killed there, its note included.
fn killed(at: Killed) -> Scripted {
    use Killed::{AfterMkfs, BeforeMkfs, BeforeTheLabel, DuringMkfs};
    let host = host();
    let device = Device::at(&host.machine, "/dev/vdb").unwrap().unwrap();
    Note::write(&host.machine, &volume(), &device, Phase::Formatting).unwrap();
    if at != BeforeTheLabel {
        label(&host);
    }
    if matches!(at, BeforeMkfs | DuringMkfs | AfterMkfs) {
        wake(&host, "kubewright-etcd");
    }
    match at {
        DuringMkfs => write(&host, "dm-0", 8192, b"half"),
        AfterMkfs => make_ext4(host.directory(), "dm-0", UUID),
        _ => {}
    }
    host
}

/// Twice for each run: it looks before it tells, and again before it acts.
fn expect_looks(host: &Scripted, label: &'static str, volumes: Option<&'static str>) {
    for _ in 0..2 {
        host.expect(LABEL, label);
        if let Some(volumes) = volumes {
            host.expect(VOLUMES, volumes);
        }
    }
}

fn asleep(root: &Path) {
    for path in ["sys/class/block/dm-0", "dev/kubewright-etcd", "sys/class/block/vdb/holders/dm-0"] {
        let _ = fs::remove_dir_all(root.join(path));
    }
}

#[test]
fn a_run_that_was_killed_before_the_file_system_was_whole_is_gone_on_with() {
    use Killed::{AfterMkfs, BeforeMkfs, BeforeTheGroup, BeforeTheLabel, BeforeTheVolume, DuringMkfs};
    for at in [BeforeTheLabel, BeforeTheGroup, BeforeTheVolume, BeforeMkfs, DuringMkfs, AfterMkfs] {
        for boot in ["one", "two"] {
            let host = killed(at);
            host.put("/proc/sys/kernel/random/boot_id", &format!("{boot}\n"));
            match at {
                BeforeTheLabel => {}
                BeforeTheGroup => expect_looks(&host, "  ||0\n", None),
                BeforeTheVolume => expect_looks(&host, OURS, Some("")),
                _ => expect_looks(&host, OURS, Some("  data\n")),
            }
            if !matches!(at, BeforeTheLabel | BeforeTheGroup) {
                host.expect_effect(REMOVE, "", asleep);
            }
            host.expect(GROUP, "");
            host.expect_effect(VOLUME, "", {
                let directory = host.directory().to_owned();
                move |_| {
                    let path = |path: &str| directory.join(path);
                    for (file, text) in [("size", "24576\n"), ("dev", "253:0\n"), ("ro", "0\n")] {
                        fs::create_dir_all(path("sys/class/block/dm-0")).unwrap();
                        fs::write(path("sys/class/block/dm-0").join(file), text).unwrap();
                    }
                    fs::create_dir_all(path("dev/kubewright-etcd")).unwrap();
                    let _ = symlink("../dm-0", path("dev/kubewright-etcd/data"));
                    fs::File::create(path("dev/dm-0")).unwrap().set_len(12 << 20).unwrap();
                }
            });
            host.expect_effect(MKFS, "", |root| make_ext4(root, "dm-0", UUID));
            host.expect_effect(MOUNT, "", |root| fs::write(root.join("proc/self/mountinfo"), MOUNTED).unwrap());
            make(&host, &parts());
            host.done();
            assert_eq!(changes(&host, &parts()), [], "{at:?}");
            assert!(!host.at(NOTE).exists(), "{at:?}");
        }
    }
}

#[test]
fn what_somebody_else_had_a_part_in_is_refused() {
    let refused = |host: &Scripted, case: &str| {
        let before = fs::read(host.at("/dev/vdb")).unwrap();
        let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
        assert!(failure.why.contains("is not blank"), "{case}: {failure}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("nothing was changed")), "{case}");
        assert_eq!(fs::read(host.at("/dev/vdb")).unwrap(), before, "{case}");
        host.done();
    };
    for row in ["  web|kubewright|1\n", "  kubewright-etcd||1\n", "  kubewright-etcd|kubewright|2\n", "  \n"] {
        let host = killed(Killed::BeforeMkfs);
        expect_looks(&host, row, None);
        refused(&host, row);
    }
    let host = killed(Killed::BeforeMkfs);
    expect_looks(&host, OURS, Some("  data\n  backups\n"));
    refused(&host, "another volume");
    // Asleep nobody can say what is on it.
    let host = killed(Killed::BeforeTheVolume);
    expect_looks(&host, OURS, Some("  data\n"));
    refused(&host, "asleep");
    let host = killed(Killed::BeforeMkfs);
    write(&host, "dm-0", 0, b"XFSB");
    expect_looks(&host, OURS, Some("  data\n"));
    refused(&host, "a file system since");
    let host = killed(Killed::BeforeMkfs);
    host.put("/proc/self/mountinfo", "30 1 253:0 / /srv rw - ext4 /dev/dm-0 rw\n");
    expect_looks(&host, OURS, Some("  data\n"));
    refused(&host, "mounted");
    // Without a note, or with that of another disk, LVM is not even asked.
    let host = killed(Killed::BeforeMkfs);
    host.put("/sys/class/block/vdb/serial", "0THER\n");
    refused(&host, "another disk");
    let host = killed(Killed::BeforeMkfs);
    fs::remove_file(host.at(NOTE)).unwrap();
    refused(&host, "no note");
}

#[test]
fn a_volume_takes_all_of_its_disk() {
    let host = host();
    let told = lines(&changes(&host, &parts()));
    host.expect(GROUP, "");
    host.expect(VOLUME, "");
    wake(&host, "kubewright-etcd");
    fs::remove_dir_all(host.at("/sys/class/block/vdb/holders/dm-0")).unwrap();
    host.expect_effect(MKFS, "", |root| make_ext4(root, "dm-0", UUID));
    host.expect_effect(MOUNT, "", |root| {
        fs::write(root.join("proc/self/mountinfo"), MOUNTED).unwrap();
        // From now on.
        fs::create_dir_all(root.join("sys/class/block/vdb/holders/dm-0")).unwrap();
    });
    assert_eq!(lines(&make(&host, &parts())), told);
    host.done();
    assert_eq!(changes(&host, &parts()), []);
    // At the next boot it is found and mounted; asleep it is refused with other words than a stranger's.
    host.put("/proc/self/mountinfo", "");
    assert!(lines(&changes(&host, &parts())).contains("mount /dev/dm-0 (12 MiB) at /var/lib/etcd"));
    fs::remove_dir_all(host.at("/sys/class/block/dm-0")).unwrap();
    fs::remove_dir_all(host.at("/sys/class/block/vdb/holders/dm-0")).unwrap();
    label(&host);
    let failure = converge(&host.machine, &parts(), &mut |_| {}).unwrap_err();
    assert!(failure.hint.unwrap().contains("vgchange -ay kubewright-etcd"));
}

const KINDS: &str = "lvm lvs --noheadings --separator | --options lv_name,segtype kubewright-containerd";
const TAGS: &str = "lvm vgs --noheadings --separator | --options vg_tags kubewright-containerd";
const POOL: &str = "lvm lvcreate --yes --type thin-pool --extents 90%FREE --chunksize 256k --zero n --name pool \
                    kubewright-containerd";

fn with_pool() -> [PartState; 1] {
    let layout = DiskLayout::ThinPool(ThinPool { base_image_size: 10 << 30 });
    let disks = vec![Disk { layout, ..disk(DiskUse::Containerd, DeviceRule::Path("/dev/vdb".into())) }];
    [part(Part::Disks, vec![Resource::Disks(Disks { disks })])]
}

fn wake_pool(root: &Path) {
    fs::create_dir_all(root.join("sys/class/block/dm-3/dm")).unwrap();
    fs::write(root.join("sys/class/block/dm-3/dm/name"), "kubewright--containerd-pool\n").unwrap();
}

fn expect_mount(host: &Scripted) {
    let mount = MOUNT.replace("/var/lib/etcd", "/var/lib/containerd");
    host.expect_effect(&mount, "", |root| {
        let line = MOUNTED.replace("/var/lib/etcd", "/var/lib/containerd");
        fs::write(root.join("proc/self/mountinfo"), line).unwrap();
    });
}

#[test]
fn a_thin_pool_stands_beside_the_file_system() {
    let host = host();
    host.expect("lvm vgcreate --yes --addtag kubewright kubewright-containerd /dev/vdb", "");
    host.expect("lvm lvcreate --yes --wipesignatures y --extents 40%VG --name data kubewright-containerd", "");
    let told = lines(&changes(&host, &with_pool()));
    insta::assert_snapshot!(told, @"Create disk for containerd: format /dev/vdb (16 MiB) with ext4, as a volume of kubewright-containerd beside a thin pool, mount it at /var/lib/containerd");
    wake(&host, "kubewright-containerd");
    fs::remove_dir_all(host.at("/sys/class/block/vdb/holders/dm-0")).unwrap();
    let mkfs = MKFS.replace("-E lazy_itable_init=0,lazy_journal_init=0 ", "");
    host.expect_effect(&mkfs, "", |root| make_ext4(root, "dm-0", UUID));
    expect_mount(&host);
    host.expect(KINDS, "  data|linear\n");
    host.expect(TAGS, "  kubewright\n");
    // The run is killed here.
    host.expect_failure(POOL, "killed");
    converge(&host.machine, &with_pool(), &mut |_| {}).unwrap_err();
    host.expect(KINDS, "  data|linear\n");
    host.expect(TAGS, "  kubewright\n");
    host.expect_effect(POOL, "", wake_pool);
    insta::assert_snapshot!(settles(&host, &with_pool()), @"Update disk for containerd: make the thin pool beside it");
    host.done();
    assert!(!host.at("/var/lib/kubewright/disks/containerd").exists());
}

#[test]
fn a_pool_is_woken_and_never_made_anew_over_what_containerd_remembers() {
    let host = host();
    make_ext4(host.directory(), "vdb", UUID);
    host.put("/proc/self/mountinfo", "30 1 254:16 / /var/lib/containerd rw - ext4 /dev/vdb rw\n");
    let fails = |host: &Scripted, words: &str| {
        let failure = converge(&host.machine, &with_pool(), &mut |_| {}).unwrap_err();
        assert!(failure.why.contains(words) && failure.hint.is_some(), "{failure}");
        host.done();
    };
    host.expect(KINDS, "  data|linear\n");
    host.expect(TAGS, "  web\n");
    fails(&host, "it has no tag kubewright");
    host.expect(KINDS, "  data|linear\n  pool|linear\n");
    fails(&host, "kubewright-containerd/pool is no thin pool");
    host.put("/var/lib/containerd/io.containerd.snapshotter.v1.devmapper/metadata.db", "");
    host.expect(KINDS, "  data|linear\n");
    fails(&host, "the thin pool kubewright-containerd/pool is gone");
    host.expect(KINDS, "  data|linear\n  pool|thin-pool\n");
    host.expect("lvm lvchange --activate y kubewright-containerd/pool", "");
    fails(&host, "LVM has succeeded, but kubewright-containerd/pool is not there");
    host.expect(KINDS, "  data|linear\n  pool|thin-pool\n");
    host.expect_effect("lvm lvchange --activate y kubewright-containerd/pool", "", wake_pool);
    settles(&host, &with_pool());
    host.done();
}
