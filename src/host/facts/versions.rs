//! Which version of each component the host is set to run: read from the units, the runtime's configuration and the
//! static pods that a former run wrote. What a file does not tell has no entry; converging writes it anew.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::systemd::UNIT_FILES;
use crate::cluster::Facts;

/// Components that run as a unit of their own name.
const UNITS: [&str; 3] = ["etcd", "containerd", "kubelet"];
const RUNTIME: &str = "/etc/containerd/config.toml";
const MANIFESTS: &str = "/etc/kubernetes/manifests";

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let manifests = machine.names(MANIFESTS)?.into_iter().map(|name| format!("{MANIFESTS}/{name}"));
    let units = UNITS.iter().map(|name| format!("{UNIT_FILES}{name}.service"));
    for path in units.chain([RUNTIME.to_owned()]).chain(manifests) {
        let content = machine.text(&path)?;
        facts.versions.extend(content.map_or_else(BTreeMap::new, |content| of_file(&path, &content)));
    }
    Ok(())
}

/// Which version of which component the file at `path` sets to run.
pub(crate) fn of_file(path: &str, content: &str) -> BTreeMap<String, String> {
    let unit = path.strip_prefix(UNIT_FILES).and_then(|name| name.strip_suffix(".service"));
    if let Some(name) = unit.filter(|name| UNITS.contains(name)) {
        return of_unit(content, name).map(|version| (name.to_owned(), version)).into_iter().collect();
    }
    if path == RUNTIME {
        return of_runtime(content).map(|version| ("runc".to_owned(), version)).into_iter().collect();
    }
    let manifest = path.strip_prefix(MANIFESTS).is_some_and(|name| name.ends_with(".yaml"));
    if manifest { of_manifest(content) } else { BTreeMap::new() }
}

/// The version of `component` in the path of the program that a unit starts.
pub(in crate::host) fn of_unit(unit: &str, component: &str) -> Option<String> {
    let program = unit.lines().find_map(|line| line.trim_start().strip_prefix("ExecStart="))?;
    of_path(program.trim_start_matches(['-', '@', ':', '+', '!', '"', '\'', ' ']), component)
}

/// The version of the runc that containerd starts.
fn of_runtime(configuration: &str) -> Option<String> {
    let value = configuration.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "BinaryName").then_some(value)
    })?;
    of_path(value.trim().trim_matches(['"', '\'']), "runc")
}

/// `1.7.34` of `/opt/kubewright/containerd/1.7.34/bin/containerd`.
fn of_path(path: &str, component: &str) -> Option<String> {
    let rest = path.strip_prefix("/opt/kubewright/")?.strip_prefix(component)?.strip_prefix('/')?;
    let (version, _) = rest.split_once('/')?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// Tag by name of the images of a static pod's containers.
fn of_manifest(manifest: &str) -> BTreeMap<String, String> {
    let containers = serde_yaml::from_str::<Pod>(manifest).map(|pod| pod.spec.containers).unwrap_or_default();
    let version = |container: &Container| {
        let (name, tag) = of_reference(&container.image)?;
        Some((name.to_owned(), tag.to_owned()))
    };
    containers.iter().filter_map(version).collect()
}

/// Name and tag of `registry:5000/mirror/kube-apiserver:v1.36.4@sha256:…`.
fn of_reference(reference: &str) -> Option<(&str, &str)> {
    let tagged = reference.split('@').next()?;
    let (name, tag) = tagged.rsplit('/').next()?.split_once(':')?;
    (!name.is_empty() && !tag.is_empty()).then_some((name, tag))
}

#[derive(Debug, Deserialize)]
struct Pod {
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
struct Container {
    image: String,
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn a_unit_tells_by_the_path_of_its_program() {
        for (unit, component, version) in [
            ("[Service]\nExecStart=/opt/kubewright/etcd/3.4.23/bin/etcd\n", "etcd", Some("3.4.23")),
            (
                "ExecStart=/opt/kubewright/containerd/1.6.20~ds1/bin/containerd --config x\n",
                "containerd",
                Some("1.6.20~ds1"),
            ),
            (
                "ExecStart=\"/opt/kubewright/kubelet/v1.20.2+deb12u1/bin/kubelet\" \\\n  --x\n",
                "kubelet",
                Some("v1.20.2+deb12u1"),
            ),
            ("  ExecStart=-/opt/kubewright/etcd/3.5.16/bin/etcd\n", "etcd", Some("3.5.16")),
            // The check before the start is not what is started.
            ("ExecStartPre=/opt/kubewright/kubelet/v1/bin/x\nExecStart=/usr/bin/kubelet\n", "kubelet", None),
            ("ExecStart=/usr/bin/etcd\n", "etcd", None),
            ("ExecStart=/opt/kubewright/etcd/etcd\n", "etcd", None),
            ("ExecStart=/opt/kubewright/etcd//bin/etcd\n", "etcd", None),
            ("ExecStart=/opt/kubewright/etcd-extra/3/bin/etcd\n", "etcd", None),
            ("ExecStart=\n", "etcd", None),
            ("", "etcd", None),
        ] {
            assert_eq!(of_unit(unit, component).as_deref(), version, "{unit}");
        }
    }

    #[test]
    fn the_runtimes_configuration_tells_of_runc() {
        for (line, version) in [
            ("        BinaryName = \"/opt/kubewright/runc/1.1.5/bin/runc\"\n", Some("1.1.5")),
            ("BinaryName='/opt/kubewright/runc/v1.4.3/bin/runc'", Some("v1.4.3")),
            ("BinaryName = \"/usr/sbin/runc\"", None),
            ("# BinaryName = \"/opt/kubewright/runc/1.1.5/bin/runc\"", None),
            ("BinaryName", None),
        ] {
            assert_eq!(of_runtime(&format!("version = 2\n{line}")).as_deref(), version, "{line}");
        }
    }

    #[test]
    fn a_static_pod_tells_by_the_tags_of_its_images() {
        for (image, expected) in [
            ("registry.k8s.io/kube-apiserver:v1.36.4", Some(("kube-apiserver", "v1.36.4"))),
            ("localhost:5000/mirror/kube-scheduler:v1.20.2-deb12u1", Some(("kube-scheduler", "v1.20.2-deb12u1"))),
            ("kube-proxy:v1@sha256:00ff", Some(("kube-proxy", "v1"))),
            ("localhost:5000/kube-proxy", None),
            ("kube-proxy@sha256:00ff", None),
            (":v1", None),
        ] {
            let manifest = format!(
                "kind: Pod\nspec:\n  hostNetwork: true\n  containers:\n    - name: a\n      image: {image:?}\n"
            );
            let expected = expected.map(|(name, tag)| (name.to_owned(), tag.to_owned()));
            assert_eq!(of_manifest(&manifest), expected.into_iter().collect(), "{image}");
        }
        for broken in ["", "kind: Pod\n", "spec: {containers: [{name: a}]}", "{", "spec: {containers: x}"] {
            assert_eq!(of_manifest(broken), BTreeMap::new(), "{broken}");
        }
    }

    #[test]
    fn what_is_rendered_is_read_again() {
        use crate::desired::fixture::Fixture;
        use crate::desired::state::Resource;

        for minor in [20, 37] {
            let fixture = Fixture::new(minor);
            let host = Scripted::new();
            for resource in fixture.state("m1").parts.iter().flat_map(|part| &part.resources) {
                if let Resource::File(file) = resource {
                    host.put(&file.path, &file.content);
                }
            }
            let mut facts = Facts::default();
            gather(&host.machine, &mut facts).unwrap();
            for name in
                ["etcd", "containerd", "kubelet", "runc", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
            {
                let component = fixture.image.component(name).unwrap();
                assert_eq!(facts.versions.get(name), Some(&component.version), "{name} of 1.{minor}");
            }
        }
    }

    #[test]
    fn a_bare_host_runs_nothing() {
        let mut facts = Facts::default();
        gather(&Scripted::new().machine, &mut facts).unwrap();
        assert_eq!(facts.versions, BTreeMap::new());
    }
}
