//! Units of the distribution: stopped, kept from starting, given back; and swap that comes back.

use std::fs;

use super::super::super::testing::Scripted;
use super::super::stopped;
use super::{changes, file, lines, make, part};
use crate::desired::state::{File, ForeignUnit, Part, PartState, Resource};

const SHOW: &str =
    "systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Job --";
const DROP_IN: &str = "/etc/systemd/system/firewalld.service.d/kubewright.conf";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/firewalld.service";

fn shown(load: &str, active: &str, reload: &str) -> String {
    let name = "firewalld.service";
    format!("Id={name}\nNames={name}\nLoadState={load}\nActiveState={active}\nNeedDaemonReload={reload}\n")
}

fn firewalld(resource: fn(ForeignUnit) -> Resource) -> Vec<PartState> {
    vec![part(Part::Kernel, vec![resource(ForeignUnit { name: "firewalld.service".into() })])]
}

fn booted() -> Scripted {
    let host = Scripted::new();
    fs::create_dir_all(host.at("/run/systemd/system")).unwrap();
    host
}

#[test]
fn a_service_is_stopped_and_given_back_as_it_was() {
    let (host, ask) = (booted(), format!("{SHOW} firewalld.service"));
    host.put(WANTS, "");
    host.expect(&ask, &shown("loaded", "active", "no"));
    let told = changes(&host, &firewalld(Resource::Stopped));
    insta::assert_snapshot!(lines(&told), @"Stop unit firewalld.service: active → stopped, and kept from starting");
    host.expect(&ask, &shown("loaded", "active", "no"));
    host.expect_effect("systemctl stop -- firewalld.service", "", |root| {
        let note = fs::read_to_string(root.join("var/lib/kubewright/stopped/firewalld.service"));
        assert_eq!(note.unwrap(), "enabled\nrunning\n", "noted before the change");
    });
    host.expect_effect("systemctl disable --no-reload -- firewalld.service", "", |root| {
        fs::remove_file(root.join(WANTS.trim_start_matches('/'))).unwrap();
    });
    host.expect(&ask, &shown("loaded", "inactive", "yes"));
    host.expect("systemctl daemon-reload", "");
    assert_eq!(make(&host, &firewalld(Resource::Stopped)), told);
    host.expect(&ask, &shown("loaded", "inactive", "no"));
    assert_eq!(changes(&host, &firewalld(Resource::Stopped)), []);
    assert!(host.get(DROP_IN).contains("ConditionPathExists=!/\n"));

    // Somebody starts it once more, without a word in the inventory: the first note is the one that counts.
    host.expect(&ask, &shown("loaded", "active", "no"));
    host.expect("systemctl stop -- firewalld.service", "");
    host.expect(&ask, &shown("loaded", "inactive", "no"));
    make(&host, &firewalld(Resource::Stopped));

    let told = changes(&host, &firewalld(Resource::GivenBack));
    insta::assert_snapshot!(lines(&told), @"Update unit firewalld.service: given back: enabled, running");
    host.expect(&ask, &shown("loaded", "inactive", "yes"));
    host.expect("systemctl daemon-reload", "");
    host.expect("systemctl enable --no-reload -- firewalld.service", "");
    host.expect("systemctl start -- firewalld.service", "");
    make(&host, &firewalld(Resource::GivenBack));
    host.done();
    assert!(!host.at(DROP_IN).exists() && stopped::noted(&host.machine).unwrap().is_empty());
    assert_eq!(changes(&host, &firewalld(Resource::GivenBack)), []);
}

#[test]
fn what_does_not_start_anyway_is_left_alone() {
    let (host, ask) = (booted(), format!("{SHOW} firewalld.service"));
    for (load, active) in [("not-found", "inactive"), ("masked", "inactive")] {
        host.expect(&ask, &shown(load, active, "no"));
        assert_eq!(changes(&host, &firewalld(Resource::Stopped)), [], "{load}");
    }
    // One that rests may still be woken by D-Bus.
    host.expect(&ask, &shown("loaded", "inactive", "no"));
    insta::assert_snapshot!(lines(&changes(&host, &firewalld(Resource::Stopped))), @"Update unit firewalld.service: kept from starting");
    host.done();
}

#[test]
fn a_stop_that_fails_leaves_a_note_and_nothing_else() {
    let (host, ask) = (booted(), format!("{SHOW} firewalld.service"));
    host.expect(&ask, &shown("loaded", "active", "no"));
    host.expect_failure("systemctl stop -- firewalld.service", "timed out");
    let failed = super::converge(&host.machine, &firewalld(Resource::Stopped), &mut |_| {}).unwrap_err();
    assert!(failed.to_string().contains("timed out"), "{failed}");
    assert!(!host.at(DROP_IN).exists());
    assert_eq!(stopped::noted(&host.machine).unwrap(), ["firewalld.service"]);
    // A package that was removed since leaves nothing to give back.
    host.expect(&ask, &shown("not-found", "inactive", "no"));
    make(&host, &firewalld(Resource::GivenBack));
    host.done();
    assert!(stopped::noted(&host.machine).unwrap().is_empty());
}

#[test]
fn swap_that_was_turned_off_comes_back() {
    let host = Scripted::new();
    let parts = [part(Part::Kernel, vec![Resource::SwapGivenBack])];
    host.put("/etc/fstab", "/dev/sda2 none swap sw 0 0\n");
    assert_eq!(changes(&host, &parts), [], "there was never anything turned off");
    host.put("/etc/fstab", "# kubewright swap: /dev/sda2 none swap sw 0 0\n");
    host.put("/var/lib/kubewright/masked-swap", "dev-sda2.swap\n");
    // Two that no file names, one of them on again already.
    host.put("/var/lib/kubewright/swaps-before", "-2 /dev/sda2\n9 /by hand\n5 /unit\n");
    host.put("/proc/swaps", "Filename Type Size Used Priority\n/unit file 1 0 5\n");
    let told = changes(&host, &parts);
    host.expect("systemctl unmask --no-reload -- dev-sda2.swap", "");
    host.expect("swapon -- /dev/sda2", "");
    host.expect("swapon -p 9 -- \"/by hand\"", "");
    assert_eq!(make(&host, &parts), told);
    host.done();
    assert_eq!(changes(&host, &parts), []);
    assert_eq!(host.get("/etc/fstab"), "/dev/sda2 none swap sw 0 0\n");
}

#[test]
fn an_administrators_own_swap_unit_is_kept_from_starting() {
    let host = Scripted::new();
    host.put("/proc/swaps", "Filename Type Size Used Priority\n/swapfile file 1 0 -2\n");
    host.put("/etc/systemd/system/swapfile.swap", "[Swap]\nWhat=/swapfile\n");
    host.expect(
        "systemctl list-units --type=swap --all --plain --no-legend",
        "dev-sda3.swap masked inactive dead dev-sda3.swap\nswapfile.swap loaded active active /swapfile\n",
    );
    host.expect_effect("swapoff /swapfile", "", |root| fs::write(root.join("proc/swaps"), "Filename\n").unwrap());
    make(&host, &[part(Part::Kernel, vec![Resource::SwapOff])]);
    host.done();
    assert!(host.at("/etc/systemd/system/swapfile.swap.d/kubewright.conf").exists());
    assert_eq!(host.get("/var/lib/kubewright/masked-swap"), "swapfile.swap\n", "another's mask is not ours");
    assert_eq!(host.get("/var/lib/kubewright/swaps-before"), "-2 /swapfile\n");
}

#[test]
fn whoever_is_not_ours_reads_its_files_again_and_is_not_restarted() {
    let host = booted();
    let reloads = vec!["NetworkManager.service".to_owned()];
    let path = "/etc/NetworkManager/conf.d/kubewright.conf";
    let parts = [part(Part::Kernel, vec![Resource::File(File { reloads, ..file(path, "[keyfile]\n") })])];
    let ask = format!("{SHOW} NetworkManager.service");
    let shown = "Id=NetworkManager.service\nNames=NetworkManager.service\nLoadState=loaded\nActiveState=active\n";
    host.expect(&ask, shown);
    let told = changes(&host, &parts);
    assert_eq!(
        told.last().unwrap().summary,
        "reads its files again: /etc/NetworkManager/conf.d/kubewright.conf changed"
    );
    host.expect(&ask, shown);
    host.expect("systemctl --no-block reload -- NetworkManager.service", "");
    host.expect(&ask, shown);
    assert_eq!(make(&host, &parts), told);
    assert_eq!(changes(&host, &parts), []);
    host.done();
}

#[test]
fn one_that_does_not_run_owes_nothing() {
    let host = booted();
    let reloads = vec!["NetworkManager.service".to_owned()];
    let path = "/etc/NetworkManager/conf.d/kubewright.conf";
    let parts = [part(Part::Kernel, vec![Resource::File(File { reloads, ..file(path, "[keyfile]\n") })])];
    let shown = "Id=NetworkManager.service\nNames=NetworkManager.service\nLoadState=loaded\nActiveState=inactive\n";
    host.expect(&format!("{SHOW} NetworkManager.service"), shown);
    assert_eq!(make(&host, &parts).len(), 1, "the file alone");
    host.done();
    assert!(host.machine.names("/var/lib/kubewright/pending").unwrap().is_empty());
}
