//! Every fixture, and what becomes of it.

use std::path::Path;

use super::{Error, Source, from_files};
use crate::inventory;

fn source(text: &str) -> Source {
    text.parse().unwrap()
}

/// The fixture's inventory and summary, once the inventory is known to be valid.
fn made(place: &str) -> String {
    let migrated = from_files(&source(place), None).unwrap_or_else(|error| panic!("{error}"));
    let home = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    if let Err(report) = inventory::parse("cluster.yaml", &migrated.text, &home) {
        panic!("{report}\n{}", migrated.text);
    }
    assert!(!migrated.text.contains("hunter2") && !migrated.summary.contains("hunter2"), "a secret is shown");
    format!("{}\n--- standard error ---\n{}", migrated.text, migrated.summary)
}

fn fixtures(tool: &str) -> Vec<String> {
    let directory = Path::new("src/migrate/testdata").join(tool);
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn every_fixture_becomes_a_valid_inventory() {
    for tool in ["kubespray", "k0sctl", "kubeadm"] {
        for path in fixtures(tool) {
            let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
            insta::assert_snapshot!(format!("{tool}-{name}"), made(&format!("{tool}:{path}")));
        }
    }
}

#[test]
fn everything_that_keeps_it_from_being_an_inventory_is_told_at_once() {
    for (name, place) in [
        ("kubespray", "kubespray:src/migrate/testdata/bad/kubespray.ini"),
        ("no-control-plane", "kubespray:src/migrate/testdata/bad/no-control-plane.ini"),
        ("k0sctl", "k0sctl:src/migrate/testdata/bad/k0sctl.yaml"),
        ("kubeadm", "kubeadm:src/migrate/testdata/bad/kubeadm"),
        ("not-k0sctl", "k0sctl:src/migrate/testdata/bad/kubespray.ini"),
    ] {
        let error = from_files(&source(place), None).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error}");
        insta::assert_snapshot!(format!("bad-{name}"), error);
    }
}

#[test]
fn a_source_names_its_tool() {
    for good in ["kubespray:a", "k0sctl:a.yaml", "kubeadm", "kubeadm:b"] {
        assert!(good.parse::<Source>().is_ok(), "{good}");
    }
    for bad in ["", "kubespray", "kubespray:", "rke:a", "k0sctl"] {
        assert!(bad.parse::<Source>().is_err(), "{bad}");
    }
    assert!(source("kubeadm").running() == Some(None) && source("kubeadm:/no/such").running().is_some());
    assert_eq!(source("kubeadm:src/migrate/testdata/kubeadm/v1beta4").running(), None);
}

#[test]
fn what_is_not_there_is_named() {
    for (place, said) in [
        ("kubespray:src/migrate/testdata/none", "No such file"),
        ("kubespray:src/migrate/testdata/k0sctl", "has no inventory of kubespray"),
        ("kubeadm:src/migrate/testdata/kubespray", "has no documents"),
    ] {
        let error = from_files(&source(place), None).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
