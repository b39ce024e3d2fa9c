//! kube-proxy's configuration, a file on each node. Not a ConfigMap: that would change on all nodes at once, and one
//! node after the other is to change its mode.

use std::time::Duration;

use minijinja::context;
use minijinja::value::Value;

use super::context::HostContext;
use super::file::directory;
use super::render::render;
use super::state::{File, Owner, ProxyConfiguration, Resource};
use super::{Error, kernel};
use crate::versions::proxy::{self, ModeSupport};

/// Where the pods of kube-proxy find it.
const CONFIGURATION: &str = "/etc/kubernetes/kube-proxy/config.conf";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is_node() {
        return Ok(None);
    }
    Ok(Some(vec![
        directory("/etc/kubernetes/kube-proxy", 0o755),
        Resource::Proxy(ProxyConfiguration {
            mode: host.cluster().network.proxy.mode.as_str().to_owned(),
            file: File {
                path: CONFIGURATION.to_owned(),
                mode: 0o644,
                owner: Owner::root(),
                content: render("kube-proxy-config.yaml.j2", configuration(host)?)?,
                secret: false,
                restarts: Vec::new(),
                reloads: Vec::new(),
            },
        }),
    ]))
}

fn configuration(host: &HostContext<'_>) -> Result<Value, Error> {
    let network = &host.cluster().network;
    let mode = &network.proxy.mode;
    let gate = match proxy::mode(mode, host.version()) {
        ModeSupport::Works | ModeSupport::Deprecated => "",
        ModeSupport::NeedsGate(gate) => gate,
        ModeSupport::Absent => return Err(Error::ProxyMode { version: host.version(), mode: mode.as_str() }),
    };
    let ipv6 = network.pod_cidr.addr().is_ipv6();
    let timeouts = mode.ipvs().map(|ipvs| ipvs.timeouts).unwrap_or_default();
    let excluded = mode.ipvs().map(|ipvs| ipvs.exclude.as_slice()).unwrap_or_default();
    Ok(context! {
        gate,
        everywhere => if ipv6 { "::" } else { "0.0.0.0" },
        conntrack_is_ours => kernel::conntrack_is_ours(host.cluster()),
        health => if ipv6 { "[::]:10256" } else { "0.0.0.0:10256" },
        cluster_cidr => network.pod_cidr.to_string(),
        mode => mode.as_str(),
        ipvs => mode.ipvs().is_some(),
        scheduler => mode.ipvs().map(|ipvs| ipvs.scheduler.as_str()).unwrap_or_default(),
        tcp => seconds(timeouts.tcp),
        tcp_fin => seconds(timeouts.tcp_fin),
        udp => seconds(timeouts.udp),
        excluded => texts(excluded),
        node_port_addresses => texts(&network.proxy.node_port_addresses),
    })
}

/// Nothing stands for what the kernel has.
fn seconds(timeout: Option<Duration>) -> String {
    timeout.map(|timeout| format!("{}s", timeout.as_secs())).unwrap_or_default()
}

fn texts(networks: &[ipnet::IpNet]) -> Vec<String> {
    networks.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Ipvs, IpvsTimeouts, ProxyMode};
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn proxy(fixture: &Fixture, host: &str) -> ProxyConfiguration {
        let state = fixture.state(host);
        let mut resources = state.part(Part::Proxy).unwrap().resources.iter();
        let proxy = resources.find_map(|resource| match resource {
            Resource::Proxy(proxy) => Some(proxy.clone()),
            _ => None,
        });
        proxy.unwrap()
    }

    fn written(fixture: &Fixture) -> serde_json::Value {
        serde_yaml::from_str(&proxy(fixture, "n1").file.content).unwrap()
    }

    #[test]
    fn what_is_set_of_ipvs_reaches_it_and_the_rest_is_the_kernels() {
        let mut fixture = Fixture::new(36);
        assert_eq!(written(&fixture)["ipvs"], serde_json::json!({"scheduler": "lc", "strictARP": true}));
        fixture.change(|parts| {
            let tcp = Some(Duration::from_secs(900));
            let timeouts = IpvsTimeouts { tcp, udp: Some(Duration::from_secs(90)), tcp_fin: None };
            let exclude = vec!["10.1.9.0/24".parse().unwrap()];
            parts.network.proxy.mode = ProxyMode::Ipvs(Ipvs { timeouts, exclude, ..Ipvs::default() });
            parts.network.proxy.node_port_addresses = vec!["10.1.0.0/16".parse().unwrap()];
        });
        let written = written(&fixture);
        assert_eq!(
            written["ipvs"],
            serde_json::json!({"scheduler": "rr", "strictARP": true, "tcpTimeout": "900s", "udpTimeout": "90s",
                "excludeCIDRs": ["10.1.9.0/24"]})
        );
        assert_eq!(written["nodePortAddresses"], serde_json::json!(["10.1.0.0/16"]));
    }

    #[test]
    fn every_node_has_its_mode_and_nothing_else_has() {
        let mut fixture = Fixture::with_etcd_host(36);
        assert!(fixture.state("e1").part(Part::Proxy).is_none());
        fixture.change(|parts| parts.network.proxy.mode = ProxyMode::Nftables);
        for host in ["m1", "n1"] {
            assert_eq!(proxy(&fixture, host).mode, "nftables");
        }
        assert_eq!(written(&fixture)["mode"], "nftables");
        assert!(written(&fixture).get("ipvs").is_none());
    }

    #[test]
    fn a_mode_that_is_not_there_is_refused_and_one_behind_a_gate_gets_it() {
        let of = |minor| {
            let mut fixture = Fixture::new(minor);
            fixture.change(|parts| parts.network.proxy.mode = ProxyMode::Nftables);
            fixture
        };
        let error = of(28).try_state("n1").unwrap_err().to_string();
        assert_eq!(error, "kube-proxy v1.28.0 has no mode nftables; set spec.network.proxy.mode to iptables");
        assert_eq!(written(&of(29))["featureGates"]["NFTablesProxyMode"], true);
        assert!(written(&of(31)).get("featureGates").is_none());
    }
}
