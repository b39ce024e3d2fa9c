//! The kubelet.

use minijinja::context;

use super::arguments::Arguments;
use super::context::HostContext;
use super::file::{file, running, unit_file};
use super::labels::registration_taints;
use super::render::render;
use super::state::Resource;
use super::static_pod::MANIFESTS;
use super::{Error, kernel, runtime, size};
use crate::cluster::{Swap, Taint};
use crate::versions::kubelet;

const UNIT: &str = "kubelet.service";
const CONFIGURATION: &str = "/var/lib/kubelet/config.yaml";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is_node() {
        return Ok(None);
    }
    let unit = context! {
        path => host.path(&["host-tools"])?,
        program => format!("{}/kubelet", host.programs("kubelet")?),
        arguments => arguments(host)?.lines(),
    };
    Ok(Some(vec![
        file(CONFIGURATION, 0o600, configuration(host)?, &[UNIT]),
        unit_file(UNIT, render("kubelet.service.j2", unit)?),
        running(UNIT),
    ]))
}

fn arguments(host: &HostContext<'_>) -> Result<Arguments, Error> {
    let version = host.version();
    let mut flags = Arguments::new("kubelet", version);
    flags.set("config", CONFIGURATION);
    flags.set("kubeconfig", "/etc/kubernetes/kubelet.conf");
    flags.set("hostname-override", host.host.name.as_str());
    flags.set("node-ip", host.host.address.to_string());
    if kubelet::container_runtime_flag(version) {
        flags.set("container-runtime", "remote");
    }
    if !kubelet::runtime_endpoint_field(version) {
        flags.set("container-runtime-endpoint", format!("unix://{}", runtime::SOCKET));
    }
    if kubelet::pause_image_flag(version) {
        flags.set("pod-infra-container-image", host.context.reference("pause")?);
    }
    let taints = registration_taints(version, host.host);
    if !kubelet::register_with_taints_field(version) && !taints.is_empty() {
        let text = |taint: &Taint| format!("{}={}:{:?}", taint.key, taint.value, taint.effect);
        flags.set("register-with-taints", taints.iter().map(text).collect::<Vec<_>>().join(","));
    }
    Ok(flags)
}

fn configuration(host: &HostContext<'_>) -> Result<String, Error> {
    let (cluster, version) = (host.cluster(), host.version());
    let reserved = size::reserved(host.facts, &host.host.roles);
    let taints = registration_taints(version, host.host).into_iter().map(|taint| {
        context! { key => taint.key.as_str(), value => taint.value.as_str(), effect => format!("{:?}", taint.effect) }
    });
    let taints: Vec<_> = if kubelet::register_with_taints_field(version) { taints.collect() } else { Vec::new() };
    let resolv_conf = match host.facts.resolv_conf.as_str() {
        "" => "/etc/resolv.conf",
        path => path,
    };
    // Where that cannot be, the preparation of the kernel refuses it.
    let limited_swap = host.host.kernel.swap == Swap::Limited;
    let values = context! {
        manifests => MANIFESTS,
        name_servers => cluster.network.name_servers().iter().map(ToString::to_string).collect::<Vec<_>>(),
        cluster_domain => cluster.network.domain.as_str(),
        max_pods => cluster.kubelet.max_pods,
        resolv_conf,
        protect_kernel_defaults => kernel::suits_kubelet(host),
        kube_reserved => context! { cpu => reserved.kube.cpu(), memory => reserved.kube.memory() },
        system_reserved => context! { cpu => reserved.system.cpu(), memory => reserved.system.memory() },
        endpoint_field => kubelet::runtime_endpoint_field(version),
        endpoint => format!("unix://{}", runtime::SOCKET),
        // Said only where it matters: a host with version 2 keeps the default, which is to insist on it.
        allow_cgroup_v1 => kubelet::fail_cgroup_v1_field(version) && host.facts.cgroup_version == 1,
        limited_swap,
        node_swap_gate => limited_swap && kubelet::node_swap_gate(version),
        taints,
    };
    Ok(render("kubelet-config.yaml.j2", values)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn content(fixture: &Fixture, host: &str, path: &str) -> String {
        let state = fixture.state(host);
        let found = state.part(Part::Kubelet).unwrap().resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path == path => Some(file.content.clone()),
            _ => None,
        });
        found.unwrap()
    }

    fn unit(minor: u32, host: &str) -> String {
        content(&Fixture::new(minor), host, "/etc/systemd/system/kubelet.service")
    }

    #[test]
    fn flags_follow_the_minor() {
        for (flag, minors) in [
            ("--container-runtime=remote", 20..=23),
            ("--container-runtime-endpoint=", 20..=26),
            ("--pod-infra-container-image=", 20..=34),
            ("--register-with-taints=", 20..=22),
        ] {
            for minor in 20..=37 {
                assert_eq!(unit(minor, "m1").contains(flag), minors.contains(&minor), "{flag} at 1.{minor}");
            }
        }
        assert!(!unit(20, "n1").contains("--register-with-taints"), "a worker is not tainted");
    }

    #[test]
    fn fields_follow_the_minor() {
        for (field, since) in [("containerRuntimeEndpoint:", 27), ("registerWithTaints:", 23), ("failCgroupV1:", 31)] {
            for minor in 20..=37 {
                let mut fixture = Fixture::new(minor);
                fixture.facts_of("m1").cgroup_version = 1;
                let text = content(&fixture, "m1", CONFIGURATION);
                assert_eq!(text.contains(field), minor >= since, "{field} at 1.{minor}");
            }
        }
        let text = content(&Fixture::new(37), "m1", CONFIGURATION);
        assert!(!text.contains("failCgroupV1"), "a host with cgroup v2 keeps the default");
    }

    #[test]
    fn pods_may_use_some_swap_where_the_inventory_says_so() {
        for (minor, gate) in [(28, true), (29, true), (30, false), (36, false)] {
            let mut fixture = Fixture::new(minor);
            let off = content(&fixture, "n1", CONFIGURATION);
            assert!(!off.contains("failSwapOn") && !off.contains("featureGates"), "{off}");
            fixture.change(|parts| parts.hosts.iter_mut().for_each(|host| host.kernel.swap = Swap::Limited));
            let text = content(&fixture, "n1", CONFIGURATION);
            assert!(text.contains("failSwapOn: false\n"), "{text}");
            assert!(text.contains("memorySwap:\n  swapBehavior: LimitedSwap\n"), "{text}");
            assert_eq!(text.contains("featureGates:\n  NodeSwap: true\n"), gate, "1.{minor}");
        }
    }

    #[test]
    fn pods_inherit_the_resolver_that_works() {
        let mut fixture = Fixture::new(36);
        assert!(content(&fixture, "n1", CONFIGURATION).contains("resolvConf: \"/run/systemd/resolve/resolv.conf\""));
        fixture.facts_of("n1").resolv_conf = String::new();
        assert!(content(&fixture, "n1", CONFIGURATION).contains("resolvConf: \"/etc/resolv.conf\""));
    }
}
