//! Programs: the components of the image that the host's roles need, and links to those that people and CNI look for.

use super::Error;
use super::context::HostContext;
use super::file::directory;
use super::state::{Component, Resource, Symlink};
use crate::cluster::Role;
use crate::image::ComponentKind;
use crate::versions::etcd;

/// Component and program that people use; linked where the host has the component.
const TOOLS: &[(&str, &str)] =
    &[("kubectl", "kubectl"), ("containerd", "ctr"), ("etcd", "etcdctl"), ("etcd", "etcdutl")];

/// Plugins that our own CNI configuration and the usual others name.
const CNI_PLUGINS: &[&str] =
    &["bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap", "ptp", "static", "tuning"];

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    check(host)?;
    let mut resources = Vec::new();
    let image = host.context.image;
    let files = image.for_roles(&host.host.roles).filter(|component| component.kind == ComponentKind::Files);
    let mut names = Vec::new();
    for component in files {
        names.push(component.name.as_str());
        resources.push(Resource::Component(Component {
            name: component.name.clone(),
            version: component.version.clone(),
            blob: component.blob.clone(),
        }));
    }
    resources.push(directory("/opt/kubewright/bin", 0o755));
    for (component, program) in TOOLS.iter().filter(|(component, _)| names.contains(component)) {
        if *program == "etcdutl" && !etcd::has_etcdutl(host.component_version("etcd")?) {
            continue;
        }
        resources.push(link("/opt/kubewright/bin", &host.programs(component)?, program));
    }
    if host.is_node() {
        let programs = host.programs("cni-plugins")?;
        resources.push(directory("/opt/cni/bin", 0o755));
        // Calico brings its own, and puts them in the place of links.
        let own = host.cluster().network.calico().is_none();
        resources.extend(CNI_PLUGINS.iter().filter(|_| own).map(|plugin| link("/opt/cni/bin", &programs, plugin)));
    }
    Ok(Some(resources))
}

fn link(directory: &str, programs: &str, name: &str) -> Resource {
    Resource::Symlink(Symlink { path: format!("{directory}/{name}"), target: format!("{programs}/{name}") })
}

/// Everything that the roles of this host run must be in the image, for these roles.
fn check(host: &HostContext<'_>) -> Result<(), Error> {
    let mut needed: Vec<&'static str> = Vec::new();
    if host.is_node() {
        needed.extend(["kubelet", "containerd", "runc", "cni-plugins", "host-tools"]);
    }
    if host.is(Role::ControlPlane) {
        needed.push("kubectl");
    }
    if host.is(Role::Etcd) {
        needed.push("etcd");
    }
    let missing = needed.into_iter().filter_map(|name| host.programs(name).err());
    Error::collect(missing.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn names(fixture: &Fixture, host: &str) -> Vec<String> {
        let state = fixture.state(host);
        let resources = &state.part(Part::Binaries).unwrap().resources;
        let name = |resource: &Resource| match resource {
            Resource::Component(component) => Some(component.name.clone()),
            _ => None,
        };
        resources.iter().filter_map(name).collect()
    }

    #[test]
    fn a_host_gets_what_its_roles_need_and_no_images() {
        let fixture = Fixture::with_etcd_host(36);
        assert_eq!(names(&fixture, "e1"), ["etcd"]);
        assert_eq!(names(&fixture, "n1"), ["cni-plugins", "containerd", "host-tools", "kubelet", "runc"]);
        assert!(names(&fixture, "m1").contains(&"kubectl".to_owned()));
        assert!(!names(&fixture, "m1").contains(&"kube-apiserver".to_owned()));
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let mut fixture = Fixture::new(36);
        fixture.image.components.retain(|component| !["runc", "etcd"].contains(&component.name.as_str()));
        let context = fixture.context();
        let host = HostContext::new(&context, fixture.host("m1")).unwrap();
        let message = part(&host).unwrap_err().to_string();
        assert!(message.contains("no component runc") && message.contains("no component etcd"), "{message}");
    }
}
