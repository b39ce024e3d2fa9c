//! Data disks: the blank ones are used and come back after a power cut, one with data is refused and not touched.

use std::path::PathBuf;
use std::time::Duration;

use crate::world::{Beside, World, eventually};

const REFUSED: &str =
    "[{for: etcd, device: /dev/ubdc}, {for: containerd, size: 3GiB..5GiB}, {for: logs, device: /dev/ubde}]";
const BLANK: &str = "[{for: etcd, device: /dev/ubdc}, {for: containerd, size: 3GiB..5GiB}]";
const MOUNTED: &str = "findmnt -n -o SOURCE,FSTYPE /var/lib/etcd; findmnt -n -o SOURCE,FSTYPE /var/lib/containerd";

/// As systemd sees it when the disk is not in the host any more.
const LOSE: &str = "systemctl stop etcd && umount /var/lib/etcd && \
    sed -i 's/^UUID=.* \\/var\\/lib\\/etcd .*nofail/&,x-systemd.device-timeout=3s/; s/^UUID=\\(.* \\/var\\/lib\\/etcd\\)/UUID=0\\1/' \
    /etc/fstab && systemctl daemon-reload";

/// What must stay as it is while disks beside are used: the content of one with data, and the table of mounts.
struct Untouched<'a> {
    world: &'a World,
    before: [String; 2],
}

impl<'a> Untouched<'a> {
    fn now(world: &'a World) -> Self {
        Self { world, before: Self::look(world) }
    }

    fn look(world: &World) -> [String; 2] {
        ["sha256sum /dev/ubde", "cat /etc/fstab"].map(|command| world.on("m1", command).exits(0).stdout)
    }

    #[track_caller]
    fn data_is(&self) {
        assert_eq!(Self::look(self.world)[0], self.before[0]);
    }

    #[track_caller]
    fn all_is(&self) {
        assert_eq!(Self::look(self.world), self.before);
    }
}

/// A host with two blank disks and one that holds data, in a lab of its own.
fn with_three_disks(world: &World) -> Beside {
    let disks = ["--masters", "1", "--workers", "0", "--disk", "320M", "--disk", "4G", "--disk", "64M"];
    let world = world.beside("-disks", &disks);
    let fill = "mkfs.ext4 -q /dev/ubde && mount /dev/ubde /mnt && echo precious >/mnt/data && umount /mnt";
    world.on("m1", fill).exits(0);
    world
}

#[track_caller]
fn both_are_mounted(world: &World) {
    let mounted = world.on("m1", MOUNTED).exits(0).stdout;
    assert_eq!(mounted.split_whitespace().collect::<Vec<_>>(), ["/dev/ubdc", "ext4", "/dev/ubdd", "xfs"]);
}

pub(crate) fn blank_disks_are_used_and_others_are_not_touched(world: &World) {
    let world = with_three_disks(world);
    let untouched = Untouched::now(&world);
    let inventory = with_disks(&world, "refused.yaml", REFUSED);
    let refused = world.run_verb_on(&inventory, "install", &[]).exits(1);
    for words in ["nothing was changed", "/dev/ubde (64 MiB) is not blank: it holds an ext2, ext3 or ext4 file system"]
    {
        assert!(refused.stderr.contains(words), "{words:?} is not in:\n{}", refused.stderr);
    }
    assert!(!refused.stderr.contains("/dev/ubdc"), "only what is wrong is told:\n{}", refused.stderr);
    world
        .on("m1", "test ! -e /opt/kubewright && test ! -e /var/lib/etcd && cmp -n 335544320 /dev/ubdc /dev/zero")
        .exits(0);
    untouched.all_is();

    let inventory = with_disks(&world, "blank.yaml", BLANK);
    let planned = world.run_verb_on(&inventory, "plan", &[]).exits(2);
    assert!(planned.stdout.contains("format /dev/ubdd (4 GiB) with xfs"), "{}", planned.stdout);
    let took = world.run_verb_on(&inventory, "install", &[]).exits(0).took;
    println!("one host with two disks in {:.1} s", took.as_secs_f64());
    both_are_mounted(&world);
    world.on("m1", "test -d /var/lib/etcd/member").exits(0);
    world.run_verb_on(&inventory, "plan", &[]).exits(0);
    untouched.data_is();
}

pub(crate) fn disks_survive_power_cuts_losses_and_resets(world: &World) {
    let world = with_three_disks(world);
    let untouched = Untouched::now(&world);
    let inventory = with_disks(&world, "blank.yaml", BLANK);
    world.run_verb_on(&inventory, "install", &[]).exits(0);
    // What others write without a sync is not what is tried here.
    world.on("m1", "sync").exits(0);
    world.lab(&["kill", "m1"], &[]).exits(0);
    world.lab(&["start", "m1"], &[]).exits(0);
    eventually("m1 is well again", Duration::from_secs(180), || world.run_verb_on(&inventory, "status", &[]).code == 0);
    both_are_mounted(&world);
    world.run_verb_on(&inventory, "plan", &[]).exits(0);
    untouched.data_is();

    // A disk that does not come back: etcd must not begin anew on the root disk.
    world.on("m1", LOSE).exits(0);
    assert_ne!(world.on("m1", "systemctl start etcd").code, 0, "etcd started without its disk");
    world.on("m1", "test -z \"$(ls /var/lib/etcd)\"").exits(0);
    world.run_verb_on(&inventory, "install", &[]).exits(0);
    world.run_verb_on(&inventory, "plan", &[]).exits(0);
    world.on("m1", "test -d /var/lib/etcd/member").exits(0);

    // A reset gives back fstab and keeps the file systems, and the next install knows them again.
    world.run_verb_on(&inventory, "reset", &["--yes"]).exits(0);
    untouched.all_is();
    world.on("m1", "! findmnt /var/lib/etcd && ! findmnt /var/lib/containerd && test ! -e /var/lib/etcd").exits(0);
    let planned = world.run_verb_on(&inventory, "plan", &[]).exits(2);
    assert!(planned.stdout.contains("mount /dev/ubdc (320 MiB) at /var/lib/etcd"), "{}", planned.stdout);
}

const POOL: &str = "[{for: containerd, device: /dev/ubdc, lvm: true, snapshotter: devmapper, baseImageSize: 2GiB}]";
const LAYERS: &str = "dmsetup ls --target thin | grep -c '^kubewright--containerd-pool-snap-'; \
    grep -c '^/dev/mapper/kubewright--containerd-pool-snap-.*/rootfs ext4' /proc/mounts; \
    /opt/kubewright/containerd/*/bin/ctr -n k8s.io snapshots --snapshotter devmapper ls | grep -c Active; \
    /opt/kubewright/containerd/*/bin/ctr -n k8s.io snapshots --snapshotter overlayfs ls | grep -c Active";

pub(crate) fn containers_run_from_a_thin_pool(world: &World) {
    let world = world.beside("-pool", &["--masters", "1", "--workers", "0", "--disk", "8G"]);
    let inventory = with_disks(&world, "pool.yaml", POOL);
    let planned = world.run_verb_on(&inventory, "plan", &[]).exits(2);
    assert!(
        planned
            .stdout
            .contains("format /dev/ubdc (8 GiB) with xfs, as a volume of kubewright-containerd beside a thin pool"),
        "{}",
        planned.stdout
    );
    let install = || {
        let took = world.run_verb_on(&inventory, "install", &[]).exits(0).took;
        println!("one host with a thin pool in {:.1} s", took.as_secs_f64());
        world.run_verb_on(&inventory, "plan", &[]).exits(0);
        world.run_verb_on(&inventory, "status", &[]).exits(0);
        let layers = world.on("m1", LAYERS).stdout;
        let layers: Vec<u32> = layers.lines().map(|line| line.parse().unwrap()).collect();
        assert!(layers.len() == 4 && layers[..3].iter().all(|count| *count >= 4) && layers[3] == 0, "{layers:?}");
    };
    install();

    world.on("m1", "sync").exits(0);
    world.lab(&["kill", "m1"], &[]).exits(0);
    world.lab(&["start", "m1"], &[]).exits(0);
    eventually("m1 is well again", Duration::from_secs(240), || world.run_verb_on(&inventory, "status", &[]).code == 0);
    world.run_verb_on(&inventory, "plan", &[]).exits(0);

    // A node does not change its snapshotter while it lives.
    let other = with_disks(&world, "other.yaml", "[]");
    let refused = world.run_verb_on(&other, "plan", &[]).exits(1);
    assert!(refused.stderr.contains("keep `snapshotter: devmapper`"), "{}", refused.stderr);

    for _ in 0..2 {
        world.run_verb_on(&inventory, "reset", &["--yes"]).exits(0);
        world.on("m1", "test -z \"$(dmsetup ls | grep pool)\" && vgs kubewright-containerd").exits(0);
        install();
    }
}

/// The lab's inventory with its only host a worker, too, and with `disks`.
fn with_disks(world: &World, name: &str, disks: &str) -> PathBuf {
    let roles = "roles: [control-plane, etcd]\n";
    world.inventory_with(name, roles, &format!("roles: [control-plane, etcd, worker]\n      disks: {disks}\n"))
}
