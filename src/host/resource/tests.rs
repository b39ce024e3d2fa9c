//! Resources on a scripted host: what a diff shows, what converging does, and that nothing is left to do afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::super::converge::{converge, diff};
use super::super::protocol::{Change, Event};
use super::super::testing::Scripted;
use crate::desired::state::{Absent, Block, Directory, File, Module, Owner, Part, PartState, Resource, Symlink, User};
use crate::desired::sysctl::{Direction, Sysctl, Sysctls};

mod disks;
mod images;
mod retained;
mod services;
mod units;
mod volumes;

fn file(path: &str, content: &str) -> File {
    File {
        path: path.into(),
        mode: 0o644,
        owner: Owner::root(),
        content: content.into(),
        secret: false,
        restarts: Vec::new(),
        reloads: Vec::new(),
    }
}

fn part(part: Part, resources: Vec<Resource>) -> PartState {
    PartState { part, resources }
}

fn changes(host: &Scripted, parts: &[PartState]) -> Vec<Change> {
    diff(&host.machine, parts).unwrap().into_iter().flat_map(|part| part.changes).collect()
}

fn make(host: &Scripted, parts: &[PartState]) -> Vec<Change> {
    let made = converge(&host.machine, parts, &mut |_| {}).unwrap();
    made.into_iter().flat_map(|part| part.changes).collect()
}

fn lines(changes: &[Change]) -> String {
    let line = |change: &Change| {
        let diff = change.diff.as_ref().map(|diff| format!("\n{diff}")).unwrap_or_default();
        format!("{:?} {}: {}{diff}", change.action, change.resource, change.summary)
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Diff tells what converging does, and afterwards there is nothing to tell.
#[track_caller]
fn settles(host: &Scripted, parts: &[PartState]) -> String {
    let told = changes(host, parts);
    assert_eq!(make(host, parts), told);
    assert_eq!(changes(host, parts), []);
    lines(&told)
}

#[test]
fn files_and_directories() {
    let host = Scripted::new();
    let directory = |mode| Directory { path: "/etc/kubernetes/pki".into(), mode, owner: Owner::root() };
    let parts = |mode, content: &str| {
        let key = File { secret: true, mode: 0o600, ..file("/etc/kubernetes/pki/ca.key", content) };
        let config = file("/etc/kubernetes/config", &format!("a\nb\n{content}\n"));
        vec![part(Part::Pki, vec![Resource::Directory(directory(mode)), Resource::File(key), Resource::File(config)])]
    };
    insta::assert_snapshot!(settles(&host, &parts(0o700, "one")), @"
    Create directory /etc/kubernetes/pki: mode 0700 root:root
    Create file /etc/kubernetes/pki/ca.key: new (secret), mode 0600 root:root
    Create file /etc/kubernetes/config: new, mode 0644 root:root
    --- /etc/kubernetes/config
    +++ /etc/kubernetes/config
    @@ -0,0 +1,3 @@
    +a
    +b
    +one
    ");
    insta::assert_snapshot!(settles(&host, &parts(0o750, "two")), @"
    Update directory /etc/kubernetes/pki: mode 0700 → 0750
    Update file /etc/kubernetes/pki/ca.key: content differs (secret)
    Update file /etc/kubernetes/config: content differs
    --- /etc/kubernetes/config
    +++ /etc/kubernetes/config
    @@ -1,3 +1,3 @@
     a
     b
    -one
    +two
    ");
    fs::set_permissions(host.at("/etc/kubernetes/config"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::remove_file(host.at("/etc/kubernetes/pki/ca.key")).unwrap();
    symlink("/dev/null", host.at("/etc/kubernetes/pki/ca.key")).unwrap();
    insta::assert_snapshot!(settles(&host, &parts(0o750, "two")), @"
    Update file /etc/kubernetes/pki/ca.key: content differs (secret), was not a regular file
    Update file /etc/kubernetes/config: mode 0666 → 0644
    ");
    assert_eq!(host.get("/etc/kubernetes/pki/ca.key"), "two");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let host = Scripted::new();
    let secret = |content: &str| File { secret: true, ..file("/key", content) };
    host.put("/key", "old hunter1");
    let parts = [part(Part::Pki, vec![Resource::File(secret("new hunter2"))])];
    let mut seen = format!("{:?}", changes(&host, &parts));
    converge(&host.machine, &parts, &mut |event: Event| seen.push_str(&format!("{event:?}"))).unwrap();
    fs::remove_file(host.at("/key")).unwrap();
    fs::create_dir(host.at("/key")).unwrap();
    seen.push_str(&format!("{:?}", diff(&host.machine, &parts).unwrap_err()));
    assert!(seen.contains("secret") && !seen.contains("hunter"), "{seen}");
}

#[test]
fn what_is_in_the_way_is_refused_and_all_of_it_told_at_once() {
    let host = Scripted::new();
    host.put("/a/file", "");
    host.put("/b", "");
    let directory = Directory { path: "/b".into(), mode: 0o755, owner: Owner::root() };
    let link = Symlink { path: "/a".into(), target: "/x".into() };
    let resources = vec![
        Resource::File(file("/a", "x")),
        Resource::Directory(directory),
        Resource::Symlink(link),
        Resource::Absent(Absent { path: "/etc".into() }),
    ];
    let failure = diff(&host.machine, &[part(Part::Kernel, resources)]).unwrap_err();
    assert!(failure.what.starts_with("4 failures"), "{failure}");
    assert!(host.at("/a/file").exists());
}

#[test]
fn links_blocks_and_absence() {
    let host = Scripted::new();
    host.put("/etc/hosts", "127.0.0.1 localhost\n");
    host.put("/etc/old/deep/x", "");
    host.put("/etc/link", "a file");
    let parts = [part(
        Part::Kernel,
        vec![
            Resource::Block(Block {
                path: "/etc/hosts".into(),
                name: "hosts".into(),
                lines: vec!["10.0.0.1 m1".into()],
            }),
            Resource::Symlink(Symlink { path: "/etc/link".into(), target: "../opt/x".into() }),
            Resource::Absent(Absent { path: "/etc/old".into() }),
            Resource::Absent(Absent { path: "/etc/never/there".into() }),
        ],
    )];
    insta::assert_snapshot!(settles(&host, &parts), @"
    Create block hosts in /etc/hosts: new block
    --- /etc/hosts
    +++ /etc/hosts
    @@ -1 +1,4 @@
     127.0.0.1 localhost
    +# BEGIN kubewright hosts
    +10.0.0.1 m1
    +# END kubewright hosts
    Update symlink /etc/link: a file → ../opt/x
    Remove absent /etc/old: directory removed
    ");
}

#[test]
fn nothing_is_removed_through_a_mount() {
    let host = Scripted::new();
    host.put("/var/lib/old/data/x", "");
    host.put("/proc/mounts", "/dev/sdb /var/lib/old/data ext4 rw 0 0\n");
    let parts = [part(Part::Etcd, vec![Resource::Absent(Absent { path: "/var/lib/old".into() })])];
    assert!(diff(&host.machine, &parts).unwrap_err().why.contains("mounted at /var/lib/old/data"));
}

#[test]
fn modules_are_loaded_unless_they_are_there_in_any_form() {
    let host = Scripted::new();
    host.put("/proc/modules", "ip_vs 1 0 - Live 0x0\n");
    host.put("/proc/sys/kernel/osrelease", "6.1\n");
    host.put("/lib/modules/6.1/modules.builtin", "kernel/net/bridge/br_netfilter.ko\nkernel/fs/overlay-fs.ko.xz\n");
    fs::create_dir_all(host.at("/sys/module/nf_conntrack")).unwrap();
    let module = |name: &str| Resource::Module(Module { name: name.into(), parameters: BTreeMap::new() });
    let there = ["ip_vs", "br_netfilter", "overlay_fs", "nf-conntrack"].map(module);
    assert_eq!(changes(&host, &[part(Part::Kernel, there.into())]), []);
    let parts = [part(Part::Kernel, vec![module("ip_vs_rr")])];
    host.expect_effect("modprobe ip_vs_rr", "", |root| fs::write(root.join("proc/modules"), "ip_vs_rr 1\n").unwrap());
    assert_eq!(make(&host, &parts).len(), 1);
    assert_eq!(changes(&host, &parts), []);
    host.expect_failure("modprobe nope", "modprobe: FATAL: Module nope not found");
    let failure = converge(&host.machine, &[part(Part::Kernel, vec![module("nope")])], &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("FATAL") && failure.hint.unwrap().contains("extra modules"));
    host.done();
}

/// `key = value`, with `>=` or `<=` in place of `=`; a `!` in front makes it required.
fn sysctls(lines: &[&str]) -> [PartState; 1] {
    let value = |line: &&str| {
        let fields: Vec<&str> = line.splitn(3, ' ').collect();
        let direction = match fields[1] {
            ">=" => Direction::AtLeast,
            "<=" => Direction::AtMost,
            _ => Direction::Exactly,
        };
        let sysctl = Sysctl { value: fields[2].into(), direction, required: line.starts_with('!') };
        (fields[0].trim_start_matches('!').to_owned(), sysctl)
    };
    let values = lines.iter().map(value).collect();
    [part(Part::Kernel, vec![Resource::Sysctls(Sysctls { path: "/etc/sysctl.d/95-kubewright.conf".into(), values })])]
}

#[test]
fn sysctls_are_set_live_and_for_the_next_boot() {
    let host = Scripted::new();
    host.put("/proc/sys/net/ipv4/ip_forward", "0\n");
    host.put("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    host.put("/proc/sys/net/core/somaxconn", "128\n");
    host.put("/proc/sys/fs/file-max", "9223372036854775807\n");
    host.put("/proc/sys/vm/swappiness", "0\n");
    let wanted = sysctls(&[
        "!net.ipv4.ip_forward = 1",
        "net.ipv4.ip_local_port_range = 1024 65000",
        "net.core.somaxconn >= 32768",
        "fs.file-max >= 2097152",
        "vm.swappiness <= 10",
        "kernel.built_without >= 1",
    ]);
    insta::assert_snapshot!(settles(&host, &wanted), @"
    Update sysctl net.core.somaxconn: 128 → 32768
    Update sysctl net.ipv4.ip_forward: 0 → 1
    Update sysctl net.ipv4.ip_local_port_range: 32768 60999 → 1024 65000
    Create file /etc/sysctl.d/95-kubewright.conf: sysctls at boot
    --- /etc/sysctl.d/95-kubewright.conf
    +++ /etc/sysctl.d/95-kubewright.conf
    @@ -0,0 +1,4 @@
    +# Written by kubewright; changes here are undone by its next run.
    +net.core.somaxconn = 32768
    +net.ipv4.ip_forward = 1
    +net.ipv4.ip_local_port_range = 1024 65000
    ");
    // A program that raises a value further changes nothing, and one that lowers it is told.
    host.put("/proc/sys/net/core/somaxconn", "65535\n");
    assert_eq!(changes(&host, &wanted), []);
    host.put("/proc/sys/net/core/somaxconn", "4096\n");
    assert_eq!(changes(&host, &wanted)[0].summary, "4096 → 32768");
    let before = host.get("/var/lib/kubewright/sysctls-before");
    assert_eq!(
        before,
        "net.core.somaxconn = 128\nnet.ipv4.ip_forward = 0\nnet.ipv4.ip_local_port_range = 32768 60999\n"
    );
    converge(&host.machine, &wanted, &mut |_| {}).unwrap();
    assert_eq!(host.get("/var/lib/kubewright/sysctls-before"), before, "the first values are kept");
    // What nobody wants any more is given back at once, and not only at the next boot.
    let fewer = sysctls(&["!net.ipv4.ip_forward = 1", "net.ipv4.ip_local_port_range = 1024 65000"]);
    assert_eq!(changes(&host, &fewer)[0].summary, "32768 → 128, as it was before");
    converge(&host.machine, &fewer, &mut |_| {}).unwrap();
    assert_eq!(host.get("/proc/sys/net/core/somaxconn").trim(), "128");
    host.put("/proc/sys/net/core/somaxconn", "256\n");
    assert_eq!(changes(&host, &fewer), [], "from then on it is somebody else's");
}

#[test]
fn a_sysctl_that_does_not_stick_or_exist_is_an_error_with_its_reason() {
    let host = Scripted::new();
    // A kernel that takes a value and keeps another.
    fs::create_dir_all(host.at("/proc/sys/vm")).unwrap();
    symlink("/dev/null", host.at("/proc/sys/vm/stubborn")).unwrap();
    let failure = converge(&host.machine, &sysctls(&["vm.stubborn = 7"]), &mut |_| {}).unwrap_err();
    assert!(failure.what.contains("vm.stubborn = 7") && failure.why.contains("took it without an error"), "{failure}");
    let missing = sysctls(&["!net.bridge.bridge-nf-call-iptables = 1"]);
    assert!(changes(&host, &missing).iter().any(|change| change.summary == "absent → 1"));
    let failure = converge(&host.machine, &missing, &mut |_| {}).unwrap_err();
    assert!(failure.hint.unwrap().contains("br_netfilter"));
    // Its module may bring it; if not, nobody needs it.
    let optional = sysctls(&["net.ipv4.vs.conn_reuse_mode = 0"]);
    assert!(changes(&host, &optional).iter().any(|change| change.summary == "absent → 0"));
    let made = converge(&host.machine, &optional, &mut |_| {}).unwrap();
    assert!(made.iter().flat_map(|part| &part.changes).all(|change| change.resource.starts_with("file ")), "{made:?}");
}

#[test]
fn swap_goes_off_and_stays_off() {
    let host = Scripted::new();
    host.put("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n");
    host.put("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/gone file 1 0 -3\n");
    let parts = [part(Part::Kernel, vec![Resource::SwapOff])];
    let told = changes(&host, &parts);
    host.expect(
        "systemctl list-units --type=swap --all --plain --no-legend",
        "dev-sda2.swap loaded active active /dev/sda2\n",
    );
    host.expect("systemctl mask --no-reload -- dev-sda2.swap", "");
    host.expect_effect("swapoff /dev/sda2", "", |root| fs::write(root.join("proc/swaps"), "Filename\n").unwrap());
    assert_eq!(make(&host, &parts), told);
    host.done();
    assert_eq!(changes(&host, &parts), []);
    assert_eq!(host.get("/var/lib/kubewright/masked-swap"), "dev-sda2.swap\n");
    insta::assert_snapshot!(lines(&told), @"
    Update swap in /etc/fstab: swap is not mounted at boot
    --- /etc/fstab
    +++ /etc/fstab
    @@ -1,2 +1,2 @@
     /dev/sda1 / ext4 defaults 0 1
    -/dev/sda2 none swap sw 0 0
    +# kubewright swap: /dev/sda2 none swap sw 0 0
    Stop swap: off: /dev/sda2, /gone
    ");
}

#[test]
fn a_user_is_made_and_seen_afterwards() {
    let host = Scripted::new();
    let parts = [part(Part::Etcd, vec![Resource::User(User { name: "etcd".into(), home: "/var/lib/etcd".into() })])];
    let argv = format!("systemd-sysusers --root={} kubewright-etcd.conf", host.directory().display());
    host.expect(&argv, "");
    let failure = converge(&host.machine, &parts, &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("no such user and group"), "{failure}");
    host.expect_effect(&argv, "", |root| {
        fs::write(root.join("etc/passwd"), "etcd:x:998:997::/:/x\n").unwrap();
        fs::write(root.join("etc/group"), "etcd:x:997:\n").unwrap();
    });
    assert_eq!(make(&host, &parts)[0].summary, "new user and group");
    assert_eq!(
        host.get("/etc/sysusers.d/kubewright-etcd.conf"),
        "g etcd -\nu etcd - \"kubewright etcd\" /var/lib/etcd\n"
    );
    assert_eq!(changes(&host, &parts), []);
    host.done();
}

/// A tree of distinct paths, each with something else at it.
fn resources() -> impl Strategy<Value = Vec<Resource>> {
    let mode = prop_oneof![Just(0o600_u32), Just(0o644), Just(0o755)];
    let one = (0_u8..5, mode, "[a-z \n]{0,40}", any::<bool>());
    prop::collection::vec(one, 0..12).prop_map(|choices| {
        let resource = |(index, (kind, mode, text, secret)): (usize, (u8, u32, String, bool))| {
            let path = format!("/etc/d{}/p{index}", index % 3);
            match kind {
                0 => Resource::File(File { mode, secret, ..file(&path, &text) }),
                1 => Resource::Directory(Directory { path, mode, owner: Owner::root() }),
                2 => Resource::Symlink(Symlink { path, target: format!("/t/{}", text.len()) }),
                3 => Resource::Absent(Absent { path }),
                _ => {
                    let lines = text.lines().map(str::to_owned).collect();
                    Resource::Block(Block { path, name: "b".into(), lines })
                }
            }
        };
        choices.into_iter().enumerate().map(resource).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn after_converging_nothing_differs(first in resources(), second in resources()) {
        let host = Scripted::new();
        for resources in [first, second] {
            let parts = [part(Part::Kernel, resources)];
            // What stands in the way of the second state is refused and stays.
            let Ok(told) = diff(&host.machine, &parts) else { continue };
            prop_assert_eq!(&converge(&host.machine, &parts, &mut |_| {}).unwrap(), &told);
            prop_assert!(diff(&host.machine, &parts).unwrap().is_empty());
        }
    }
}
