//! Keeping, changing and going back on a scripted host: what comes back is what was there, byte by byte.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::super::converge::{converge, diff};
use super::super::protocol::Reply;
use super::super::testing::Scripted;
use super::*;
use crate::desired::state::{Directory, Owner, Part, User};

const SHOW: &str =
    "systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Job --";

fn upgrade(to: &str) -> Upgrade {
    Upgrade { to: to.into() }
}

fn file(path: &str, content: &str, restarts: &[&str]) -> Resource {
    Resource::File(File {
        path: path.into(),
        mode: 0o640,
        owner: Owner::root(),
        content: content.into(),
        secret: path.ends_with(".key"),
        restarts: restarts.iter().map(ToString::to_string).collect(),
        reloads: Vec::new(),
    })
}

fn link(path: &str, target: &str) -> Resource {
    Resource::Symlink(Symlink { path: path.into(), target: target.into() })
}

fn absent(path: &str) -> Resource {
    Resource::Absent(Absent { path: path.into() })
}

fn unit(name: &str, up: bool) -> Resource {
    Resource::Unit(Unit { name: name.into(), enabled: up, running: up })
}

fn part(part: Part, resources: Vec<Resource>) -> PartState {
    PartState { part, resources }
}

/// Mode and content, or where it leads, of everything below a host's root but the agent's own memory.
fn tree(host: &Scripted) -> BTreeMap<String, (u32, String)> {
    fn walk(root: &Path, directory: &Path, seen: &mut BTreeMap<String, (u32, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let content = match &meta {
                meta if meta.is_symlink() => format!("→ {}", fs::read_link(&path).unwrap().display()),
                meta if meta.is_dir() => String::new(),
                _ => fs::read_to_string(&path).unwrap(),
            };
            if meta.is_dir() && name != "var/lib/kubewright" {
                walk(root, &path, seen);
            } else if !meta.is_dir() {
                seen.insert(name, (meta.permissions().mode(), content));
            }
        }
    }
    let mut seen = BTreeMap::new();
    walk(host.directory(), host.directory(), &mut seen);
    seen
}

/// An old version, and the parts of a new one.
fn old() -> (Scripted, Vec<PartState>) {
    let host = Scripted::new();
    for (path, content, mode) in [
        ("/etc/kubernetes/manifests/kube-apiserver.yaml", "image: v1.20\n", 0o600),
        ("/etc/kubernetes/pki/ca.key", "old secret\n", 0o400),
        ("/etc/kubernetes/manifests/gone.yaml", "gone: true", 0o644),
        ("/opt/was-a-file", "", 0o755),
    ] {
        host.put(path, content);
        fs::set_permissions(host.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir_all(host.at("/opt/bin")).unwrap();
    symlink("/opt/kubewright/kubectl/v1.20/bin/kubectl", host.at("/opt/bin/kubectl")).unwrap();
    symlink("/nowhere", host.at("/etc/kubernetes/was-a-link")).unwrap();
    let directory = Directory { path: "/etc/kubernetes".into(), mode: 0o755, owner: Owner::root() };
    let user = User { name: "etcd".into(), home: "/var/lib/etcd".into() };
    let parts = vec![
        part(
            Part::Binaries,
            vec![link("/opt/bin/kubectl", "/opt/kubewright/kubectl/v1.21/bin/kubectl"), link("/opt/was-a-file", "/x")],
        ),
        part(
            Part::Pki,
            vec![
                Resource::User(user),
                Resource::Directory(directory),
                file("/etc/kubernetes/pki/ca.key", "new secret\n", &[]),
            ],
        ),
        part(
            Part::ControlPlane,
            vec![
                file("/etc/kubernetes/manifests/kube-apiserver.yaml", "image: v1.21\n", &[]),
                file("/etc/kubernetes/new/file.conf", "new\n", &[]),
                file("/etc/kubernetes/was-a-link", "now a file\n", &[]),
                absent("/etc/kubernetes/manifests/gone.yaml"),
                absent("/etc/kubernetes/never-there"),
                link("/etc/kubernetes/new-link", "/y"),
            ],
        ),
    ];
    (host, parts)
}

fn make(host: &Scripted, parts: &[PartState]) {
    let files = |state: &PartState| PartState {
        part: state.part,
        resources: state.resources.iter().filter(|resource| !matches!(resource, Resource::User(_))).cloned().collect(),
    };
    let parts: Vec<PartState> = parts.iter().map(files).collect();
    converge(&host.machine, &parts, &mut |_| {}).unwrap();
    assert_eq!(diff(&host.machine, &parts).unwrap(), []);
}

#[test]
fn converging_what_was_kept_brings_every_byte_back() {
    let (host, parts) = old();
    let before = tree(&host);
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    assert_eq!(tree(&host), before, "keeping changes nothing");
    make(&host, &parts);
    assert_ne!(tree(&host), before);
    let (of, back) = kept(&host.machine).unwrap();
    assert_eq!(of, Some(upgrade("b")));
    let order: Vec<Part> = back.iter().map(|state| state.part).collect();
    assert_eq!(order, [Part::Binaries, Part::Pki, Part::ControlPlane]);
    make(&host, &back);
    assert_eq!(tree(&host), before);
    forget(&host.machine).unwrap();
    forget(&host.machine).unwrap();
    assert_eq!(kept(&host.machine).unwrap(), (None, Vec::new()));
    assert!(!host.at("/var/lib/kubewright/previous").exists());
}

#[test]
fn a_second_run_keeps_what_the_first_one_kept() {
    let (host, parts) = old();
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    let first = kept(&host.machine).unwrap();
    // It was killed in the middle of the upgrade, and comes again.
    make(&host, &parts[2..]);
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    assert_eq!(kept(&host.machine).unwrap(), first);
    // Another upgrade begins where the host is now.
    keep(&host.machine, &upgrade("c"), &parts[2..]).unwrap();
    let (of, back) = kept(&host.machine).unwrap();
    assert_eq!((of, back.len()), (Some(upgrade("c")), 1));
    let Resource::File(manifest) = &back[0].resources[0] else { panic!("{back:?}") };
    assert_eq!(manifest.content, "image: v1.21\n");
}

#[test]
fn a_run_that_is_killed_while_it_keeps_is_gone_on_with() {
    let (host, parts) = old();
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    let whole = kept(&host.machine).unwrap();
    let path = |name: &str| format!("/var/lib/kubewright/previous/{name}");
    fs::remove_file(host.at(&path("control-plane.json"))).unwrap();
    host.put(&path(".kubewright-999999999-control-plane.json.tmp"), "{\"upgr");
    assert_eq!(kept(&host.machine).unwrap().1.len(), 2);
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    assert_eq!(kept(&host.machine).unwrap(), whole);
    assert_eq!(host.machine.names("/var/lib/kubewright/previous").unwrap().len(), 3, "the leftover is swept");
}

#[test]
fn what_cannot_be_kept_is_told_at_once_and_nothing_is_written() {
    let (host, mut parts) = old();
    fs::write(host.at("/etc/kubernetes/binary"), [0xff, 0xfe]).unwrap();
    parts[0].resources.push(absent("/etc/kubernetes"));
    parts[2].resources.push(file("/etc/kubernetes/binary", "text", &[]));
    parts[2].resources.push(unit("kubelet.service", true));
    let failure = keep(&host.machine, &upgrade("b"), &parts).unwrap_err();
    for part in [
        "3 failures",
        "keeping /etc/kubernetes: neither",
        "/etc/kubernetes/binary: it is not UTF-8",
        "systemd does not run",
    ] {
        assert!(failure.to_string().contains(part), "{failure}");
    }
    assert!(!host.at("/var/lib/kubewright").exists());
    // What another upgrade kept stays, too: it may still have to be taken back.
    keep(&host.machine, &upgrade("a"), &parts[1..2]).unwrap();
    keep(&host.machine, &upgrade("b"), &parts).unwrap_err();
    assert_eq!(kept(&host.machine).unwrap().0, Some(upgrade("a")));
}

#[test]
fn secrets_are_for_root_alone_and_shown_nowhere() {
    let (host, mut parts) = old();
    parts[2].resources.push(absent("/etc/kubernetes/pki/ca.key"));
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    let mode = |path: &str| host.at(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("/var/lib/kubewright/previous"), 0o700);
    assert_eq!(mode("/var/lib/kubewright/previous/pki.json"), 0o600);
    let (upgrade, parts) = kept(&host.machine).unwrap();
    let shown = format!("{:?}", Reply::Kept { upgrade, parts });
    assert!(shown.contains("(secret)") && shown.contains("image: v1.20") && !shown.contains("old secret"), "{shown}");
    let record = "/var/lib/kubewright/previous/pki.json";
    host.put(record, &host.get(record).replace("\"mode\":", "\"mode\":\"old secret\",\"was\":"));
    let failure = kept(&host.machine).unwrap_err();
    assert!(
        failure.why.starts_with("damaged at line 1") && !format!("{failure:?}").contains("old secret"),
        "{failure}"
    );
}

fn show(name: &str, active: &str, sub: &str) -> String {
    format!(
        "Id={name}\nNames={name}\nLoadState=loaded\nActiveState={active}\nSubState={sub}\nNeedDaemonReload=no\nType=notify\n"
    )
}

/// A host on which etcd runs, enabled.
fn with_etcd() -> Scripted {
    let host = Scripted::new();
    fs::create_dir_all(host.at("/run/systemd/system")).unwrap();
    host.put("/etc/systemd/system/etcd.service", "ExecStart=/opt/kubewright/etcd/3.4.23/bin/etcd\n");
    host.put("/etc/systemd/system/multi-user.target.wants/etcd.service", "");
    host
}

#[test]
fn units_restart_because_the_files_that_come_back_differ() {
    let host = with_etcd();
    let path = "/etc/systemd/system/etcd.service";
    let content = "ExecStart=/opt/kubewright/etcd/3.5.16/bin/etcd\n";
    let parts = [part(Part::Etcd, vec![file(path, content, &["etcd.service"]), unit("etcd.service", true)])];
    let running = show("etcd.service", "active", "running");
    let ask = format!("{SHOW} etcd.service");
    host.expect(&ask, &running);
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    // The new etcd does not start.
    host.expect(&ask, &running.replace("Reload=no", "Reload=yes"));
    host.expect("systemctl daemon-reload", "");
    host.expect("systemctl --no-block restart -- etcd.service", "");
    host.expect(&ask, &show("etcd.service", "failed", "failed"));
    host.expect("journalctl -u etcd.service -n 20 --no-pager -o cat", "refuses the data\n");
    converge(&host.machine, &parts, &mut |_| {}).unwrap_err();
    host.done();
    let (_, back) = kept(&host.machine).unwrap();
    assert_eq!(back[0].resources[1], unit("etcd.service", true));
    let stale = show("etcd.service", "failed", "failed").replace("Reload=no", "Reload=yes");
    host.expect(&ask, &stale);
    host.expect("systemctl reset-failed -- etcd.service", "");
    host.expect(&ask, &stale);
    host.expect("systemctl daemon-reload", "");
    host.expect("systemctl --no-block start -- etcd.service", "");
    host.expect(&ask, &running);
    converge(&host.machine, &back, &mut |_| {}).unwrap();
    host.done();
    assert!(host.get(path).contains("3.4.23"));
    assert_eq!(fs::read_dir(host.at("/var/lib/kubewright/pending")).unwrap().count(), 0, "nothing is owed any more");
}

#[test]
fn a_new_unit_is_stopped_before_its_file_goes() {
    let host = with_etcd();
    let path = "/etc/systemd/system/kubewright-new.timer";
    let parts =
        [part(Part::Etcd, vec![file(path, "x", &[]), unit("kubewright-new.timer", true), unit("etcd.service", true)])];
    let units = [
        show("etcd.service", "activating", "auto-restart"),
        "Id=kubewright-new.timer\nNames=kubewright-new.timer\nLoadState=not-found\nActiveState=inactive\n".to_owned(),
    ];
    host.expect(&format!("{SHOW} etcd.service kubewright-new.timer"), &units.join("\n"));
    keep(&host.machine, &upgrade("b"), &parts).unwrap();
    host.done();
    let back = kept(&host.machine).unwrap().1.remove(0).resources;
    assert_eq!(back, [unit("kubewright-new.timer", false), absent(path), unit("etcd.service", true)]);
}

#[test]
fn a_unit_that_has_failed_is_kept_as_it_was_meant() {
    for meant in [true, false] {
        let host = with_etcd();
        host.expect(&format!("{SHOW} etcd.service"), &show("etcd.service", "failed", "failed"));
        let desired = Unit { name: "etcd.service".into(), enabled: true, running: meant };
        keep(&host.machine, &upgrade("b"), &[part(Part::Etcd, vec![Resource::Unit(desired.clone())])]).unwrap();
        assert_eq!(kept(&host.machine).unwrap().1[0].resources, [Resource::Unit(desired)]);
    }
}
