//! Units on a scripted systemd: order, waiting, restarts that are owed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::super::super::converge::{converge, diff};
use super::super::super::protocol::Action;
use super::super::super::testing::Scripted;
use super::{changes, file, lines, make, part, settles};
use crate::desired::state::{Attribute, File, Part, PartState, Resource, Unit};

const SHOW: &str =
    "systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Job --";

fn show(name: &str, active: &str, sub: &str, file: &str) -> String {
    let load = if file.is_empty() { "not-found" } else { "loaded" };
    format!(
        "Id={name}\nNames={name}\nLoadState={load}\nActiveState={active}\nSubState={sub}\nUnitFileState={file}\n\
         NeedDaemonReload=no\nType=notify\n"
    )
}

fn etcd(content: &str) -> Vec<PartState> {
    let unit = file("/etc/systemd/system/etcd.service", "[Service]\n");
    let env = File { restarts: vec!["etcd.service".into()], ..file("/etc/etcd/etcd.env", content) };
    let run = Unit { name: "etcd.service".into(), enabled: true, running: true };
    vec![part(Part::Etcd, vec![Resource::File(unit), Resource::File(env), Resource::Unit(run)])]
}

fn booted() -> Scripted {
    let host = Scripted::new();
    fs::create_dir_all(host.at("/run/systemd/system")).unwrap();
    host
}

#[test]
fn a_unit_comes_up_after_its_files() {
    let host = booted();
    let ask = format!("{SHOW} etcd.service");
    let show = |active, sub, file| show("etcd.service", active, sub, file);
    host.expect(&ask, &show("inactive", "dead", ""));
    insta::assert_snapshot!(lines(&changes(&host, &etcd("A=1\n"))), @"
    Create file /etc/systemd/system/etcd.service: new, mode 0644 root:root
    --- /etc/systemd/system/etcd.service
    +++ /etc/systemd/system/etcd.service
    @@ -0,0 +1 @@
    +[Service]
    Create file /etc/etcd/etcd.env: new, mode 0644 root:root
    --- /etc/etcd/etcd.env
    +++ /etc/etcd/etcd.env
    @@ -0,0 +1 @@
    +A=1
    Update unit etcd.service: starts at boot
    Start unit etcd.service: stopped → running
    ");
    host.done();
    // A new unit needs no daemon-reload.
    host.expect(&ask, &show("inactive", "dead", "disabled"));
    host.expect_effect("systemctl enable --no-reload -- etcd.service", "", enable);
    host.expect("systemctl --no-block start -- etcd.service", "");
    host.expect(&ask, &show("inactive", "dead", "enabled").replace("Type", "Job=7\nType"));
    host.expect(&ask, &show("activating", "start", "enabled"));
    host.expect(&ask, &show("active", "running", "enabled"));
    assert_eq!(make(&host, &etcd("A=1\n")).len(), 4);
    host.done();
    // What systemd remembers of links is not asked.
    host.expect(&ask, &show("active", "running", "disabled"));
    assert_eq!(changes(&host, &etcd("A=1\n")), []);
    assert_eq!(fs::read_dir(host.at("/var/lib/kubewright/pending")).unwrap().count(), 0);
}

/// What `systemctl enable` leaves.
fn enable(root: &Path) {
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink("../etcd.service", wants.join("etcd.service")).unwrap();
}

#[test]
fn a_changed_unit_file_is_reloaded_before_the_restart_and_a_stale_one_at_once() {
    let host = booted();
    make_etcd_running(&host);
    let mut parts = etcd("A=1\n");
    let Resource::File(unit) = &mut parts[0].resources[0] else { unreachable!() };
    unit.content = "[Service]\nNice=1\n".into();
    unit.restarts = vec!["etcd.service".into()];
    let ask = format!("{SHOW} etcd.service");
    let running = show("etcd.service", "active", "running", "enabled");
    let stale = running.replace("Reload=no", "Reload=yes");
    host.expect(&ask, &running);
    let told = changes(&host, &parts);
    host.expect(&ask, &stale);
    host.expect("systemctl daemon-reload", "");
    host.expect("systemctl --no-block restart -- etcd.service", "");
    host.expect(&ask, &running);
    assert_eq!(make(&host, &parts), told);
    host.done();
    // Somebody edits the file of another unit of ours, or a run was killed before it came to the reload.
    host.expect(&ask, &stale);
    insta::assert_snapshot!(lines(&changes(&host, &parts)), @"Update systemd: daemon-reload: files of etcd.service changed");
    host.expect(&ask, &stale);
    host.expect("systemctl daemon-reload", "");
    host.expect(&ask, &running);
    assert_eq!(make(&host, &parts).len(), 1);
    host.done();
}

#[test]
fn a_unit_whose_new_file_systemd_has_not_read_is_reloaded() {
    let not_found = show("etcd.service", "inactive", "dead", "");
    // Its file went away for a while, and systemd had a reason to remember it.
    let error = not_found.replace("LoadState=not-found", "LoadState=error");
    for known in [not_found, error] {
        let host = booted();
        make_etcd_running(&host);
        fs::write(host.at("/etc/systemd/system/etcd.service"), "old").unwrap();
        let ask = format!("{SHOW} etcd.service");
        host.expect(&ask, &known);
        host.expect("systemctl daemon-reload", "");
        host.expect("systemctl --no-block start -- etcd.service", "");
        host.expect(&ask, &show("etcd.service", "active", "running", "enabled"));
        make(&host, &etcd("A=1\n"));
        host.done();
    }
}

#[test]
fn an_etcd_member_that_waits_for_its_peers_holds_nobody_up() {
    let host = booted();
    make_etcd_running(&host);
    let ask = format!("{SHOW} etcd.service");
    host.expect(&ask, &show("etcd.service", "active", "running", "enabled"));
    host.expect("systemctl --no-block restart -- etcd.service", "");
    for _ in 0..18 {
        host.expect(&ask, &show("etcd.service", "activating", "start", "enabled").replace("Type", "Job=7\nType"));
    }
    host.expect(&ask, &show("etcd.service", "activating", "start", "enabled"));
    make(&host, &etcd("A=2\n"));
    host.done();
    assert!(host.machine.system.elapsed().as_secs() >= 15);
}

fn make_etcd_running(host: &Scripted) {
    host.put("/etc/systemd/system/etcd.service", "[Service]\n");
    host.put("/etc/etcd/etcd.env", "A=1\n");
    enable(host.directory());
    for path in ["/etc/systemd/system/etcd.service", "/etc/etcd/etcd.env"] {
        fs::set_permissions(host.at(path), fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn a_restart_that_a_killed_run_owed_is_shown_and_made_up_for() {
    let host = booted();
    make_etcd_running(&host);
    let ask = format!("{SHOW} etcd.service");
    let running = show("etcd.service", "active", "running", "enabled");
    // The first run writes the file and is killed before the restart.
    host.expect(&ask, &running);
    host.expect_failure("systemctl --no-block restart -- etcd.service", "Connection reset by peer");
    assert!(converge(&host.machine, &etcd("A=2\n"), &mut |_| {}).is_err());
    assert_eq!(host.get("/etc/etcd/etcd.env"), "A=2\n");
    host.expect(&ask, &running);
    let owed = changes(&host, &etcd("A=2\n"));
    insta::assert_snapshot!(lines(&owed), @"Restart unit etcd.service: restarts: /etc/etcd/etcd.env changed");
    host.expect(&ask, &running);
    host.expect("systemctl --no-block restart -- etcd.service", "");
    host.expect(&ask, &running);
    assert_eq!(make(&host, &etcd("A=2\n")), owed);
    host.expect(&ask, &running);
    assert_eq!(changes(&host, &etcd("A=2\n")), []);
    host.done();
}

#[test]
fn a_unit_that_fails_is_told_with_its_last_lines() {
    let host = booted();
    make_etcd_running(&host);
    let ask = format!("{SHOW} etcd.service");
    host.expect(&ask, &show("etcd.service", "failed", "failed", "enabled"));
    host.expect("systemctl reset-failed -- etcd.service", "");
    host.expect("systemctl --no-block start -- etcd.service", "");
    host.expect(&ask, &show("etcd.service", "failed", "failed", "enabled"));
    host.expect("journalctl -u etcd.service -n 20 --no-pager -o cat", "panic: no space left\n");
    let failure = converge(&host.machine, &etcd("A=1\n"), &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("panic: no space left"), "{failure}");
    host.done();
}

#[test]
fn a_unit_restarts_once_however_many_parts_change_its_files() {
    let host = booted();
    make_etcd_running(&host);
    let key = File { restarts: vec!["etcd.service".into()], ..file("/etc/kubernetes/pki/etcd/server.crt", "new") };
    let pki = part(Part::Pki, vec![Resource::File(key)]);
    let ask = format!("{SHOW} etcd.service");
    let running = show("etcd.service", "active", "running", "enabled");
    let both: Vec<PartState> = [pki.clone()].into_iter().chain(etcd("A=2\n")).collect();
    host.expect(&ask, &running);
    host.expect("systemctl --no-block restart -- etcd.service", "");
    host.expect(&ask, &running);
    let restarts = make(&host, &both).into_iter().filter(|change| change.action == Action::Restart).count();
    assert_eq!(restarts, 1);
    host.done();
    // Alone, the part restarts the unit itself, at its end.
    host.put("/etc/kubernetes/pki/etcd/server.crt", "old");
    host.expect(&ask, &running);
    host.expect("systemctl --no-block restart -- etcd.service", "");
    host.expect(&ask, &running);
    assert_eq!(make(&host, &[pki]).last().unwrap().action, Action::Restart);
    host.done();
}

#[test]
fn a_unit_that_should_not_run_is_stopped_and_disabled() {
    let host = booted();
    let unit = Unit { name: "x.service".into(), enabled: false, running: false };
    let parts = [part(Part::Endpoint, vec![Resource::Unit(unit)])];
    host.expect(&format!("{SHOW} x.service"), &show("x.service", "active", "running", "enabled"));
    host.put("/etc/systemd/system/multi-user.target.wants/x.service", "");
    host.expect_effect("systemctl disable --no-reload -- x.service", "", |root| {
        fs::remove_file(root.join("etc/systemd/system/multi-user.target.wants/x.service")).unwrap();
    });
    host.expect("systemctl stop -- x.service", "");
    assert_eq!(make(&host, &parts).len(), 2);
    host.expect(&format!("{SHOW} x.service"), &show("x.service", "inactive", "dead", ""));
    assert_eq!(changes(&host, &parts), []);
    host.done();
}

#[test]
fn without_systemd_files_are_written_and_units_refused() {
    let host = Scripted::new();
    let mut parts = etcd("A=1\n");
    assert!(diff(&host.machine, &parts).unwrap_err().why.contains("systemd does not run here"));
    parts[0].resources.pop();
    assert_eq!(settles(&host, &parts).lines().filter(|line| line.starts_with("Create")).count(), 2);
}

#[test]
fn a_kubelet_that_runs_is_told_of_huge_pages() {
    let host = booted();
    let path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    host.put(path, "0\n");
    let pages = Attribute {
        path: path.into(),
        value: "512".into(),
        accepts: Vec::new(),
        required: true,
        hint: String::new(),
        restarts: vec!["kubelet.service".into()],
    };
    let parts = [part(Part::Tuning, vec![Resource::Attribute(pages)])];
    let ask = format!("{SHOW} kubelet.service");
    let running = show("kubelet.service", "active", "running", "enabled");
    host.expect(&ask, &running);
    host.expect("systemctl --no-block restart -- kubelet.service", "");
    host.expect(&ask, &running);
    insta::assert_snapshot!(lines(&make(&host, &parts)), @"
    Update attribute /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages: 0 → 512
    Restart unit kubelet.service: restarts: /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages changed
    ");
    host.done();
    assert_eq!(changes(&host, &parts), []);
}
