//! The specs that this repository ships.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Lock, Spec};
use crate::cluster::{Role, Version};
use crate::image::Architecture;
use crate::versions::{containerd, etcd, supported};

/// Every spec below images/, by its path.
fn specs() -> BTreeMap<PathBuf, Spec> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let specs =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml") && !Lock::is_path(path));
    specs.map(|path| (path.clone(), Spec::load(&path).unwrap())).collect()
}

fn kubernetes(minor: u32) -> Spec {
    let name = format!("kubernetes-1-{minor}");
    specs().into_values().find(|spec| spec.name == name).unwrap_or_else(|| panic!("no spec is called {name}"))
}

#[test]
fn all_are_valid_and_their_versions_go_together() {
    let specs = specs();
    assert!(specs.len() >= 5);
    for (path, spec) in &specs {
        let version = |name: &str| {
            let component = spec.components.iter().find(|component| component.name == name);
            let component = component.unwrap_or_else(|| panic!("{}: no {name}", path.display()));
            component.version.parse::<Version>().unwrap()
        };
        supported::check(spec.kubernetes).unwrap();
        etcd::check(version("etcd")).unwrap();
        containerd::pairing(version("containerd"), spec.kubernetes).unwrap();
        for name in ["kubelet", "kubectl", "kube-apiserver"] {
            assert_eq!(version(name), spec.kubernetes, "{}: {name}", path.display());
        }
    }
}

#[test]
fn all_have_what_hosts_and_pods_need() {
    for (path, spec) in specs() {
        let programs = [
            ("kubelet", Role::Worker),
            ("containerd", Role::Worker),
            ("runc", Role::Worker),
            ("cni-plugins", Role::Worker),
            ("host-tools", Role::Worker),
            ("kubectl", Role::ControlPlane),
            ("etcd", Role::Etcd),
        ];
        for (name, role) in programs {
            let found = spec.components.iter().find(|component| component.name == name && !component.files.is_empty());
            assert!(found.is_some_and(|component| component.roles.contains(&role)), "{}: {name}", path.display());
        }
        let images: Vec<_> = spec
            .components
            .iter()
            .flat_map(|component| component.images.iter().map(|image| image.name(&component.version)))
            .collect();
        let names = [
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "pause",
            "haproxy",
            "keepalived",
        ];
        for name in names {
            assert!(images.iter().any(|image| image.contains(&format!("/{name}:"))), "{}: {name}", path.display());
        }
    }
}

/// Programs with libraries of their own have NAME/VERSION written into them.
#[test]
fn paths_that_are_written_into_programs_are_those_of_the_component() {
    for (path, spec) in specs() {
        for component in &spec.components {
            for file in component.files.iter().filter_map(|source| source.file.as_deref()) {
                if let Some((_, place)) = file.split_once("/components/") {
                    assert_eq!(place, format!("{}/{}", component.name, component.version), "{}", path.display());
                }
            }
        }
    }
    let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("images/host-tools.sh")).unwrap();
    for minor in 34..=37 {
        let spec = kubernetes(minor);
        let tools = spec.components.iter().find(|component| component.name == "host-tools").unwrap();
        assert!(script.contains(&format!("version={}\n", tools.version)), "1.{minor}");
    }
}

#[test]
fn each_minor_says_what_may_be_upgraded_to_it() {
    for minor in 34..=37 {
        let spec = kubernetes(minor);
        assert_eq!(spec.kubernetes.minor, minor);
        assert_eq!(spec.architectures, Architecture::ALL.into());
        let range = spec.upgrades_from.unwrap();
        for (from, good) in [(minor - 2, false), (minor - 1, true), (minor, true), (minor + 1, false)] {
            assert_eq!(range.contains(Version::new(1, from, 0)), good, "1.{from} to 1.{minor}");
        }
        assert!(spec.minimum_kubewright.unwrap() <= env!("CARGO_PKG_VERSION").parse().unwrap());
    }
}

#[test]
fn what_the_lock_has_to_pin_is_known() {
    for minor in 34..=36 {
        let open = kubernetes(minor).open();
        let calico = "https://raw.githubusercontent.com/projectcalico/calico/v3.32.2/manifests/crds.yaml";
        assert_eq!(open.files.keys().collect::<Vec<_>>(), [calico], "1.{minor}");
        assert!(open.images.len() >= 10, "1.{minor}: {:?}", open.images);
    }
    let files: Vec<_> = kubernetes(37).open().files.into_keys().collect();
    insta::assert_snapshot!(files.join("\n"), @"
    https://dl.k8s.io/release/v1.37.1/bin/linux/amd64/kubectl
    https://dl.k8s.io/release/v1.37.1/bin/linux/amd64/kubelet
    https://dl.k8s.io/release/v1.37.1/bin/linux/arm64/kubectl
    https://dl.k8s.io/release/v1.37.1/bin/linux/arm64/kubelet
    https://github.com/etcd-io/etcd/releases/download/v3.7.1/etcd-v3.7.1-linux-amd64.tar.gz
    https://github.com/etcd-io/etcd/releases/download/v3.7.1/etcd-v3.7.1-linux-arm64.tar.gz
    https://raw.githubusercontent.com/projectcalico/calico/v3.33.0/manifests/crds.yaml
    ");
}
