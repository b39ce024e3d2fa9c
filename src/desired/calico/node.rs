//! What runs on every node: Felix, and BIRD where there is BGP; and the CNI plugin.

use minijinja::context;
use serde_json::Value;

use super::{Setup, api};
use crate::cluster::AddressDetection;
use crate::desired::objects::manifest;
use crate::desired::{Error, digest};
use crate::versions::calico as table;

pub(super) fn objects(setup: &Setup<'_>) -> Result<Vec<Value>, Error> {
    let mut objects = manifest(
        "calico-config.yaml.j2",
        context! {
            backend => if has_bgp(setup) { "bird" } else { "vxlan" },
            typha => if setup.typhas > 0 { "calico-typha" } else { "none" },
            mtu => setup.mtu.to_string(),
            cni_version => table::cni_version(setup.version),
            bandwidth => table::has_bandwidth_plugin(setup.version),
            ipv6 => setup.is_ipv6(),
        },
    )?;
    // The pods read it when they start, and never again.
    let text: String = objects.iter().map(ToString::to_string).collect();
    objects.extend(manifest(
        "calico-node.yaml.j2",
        context! {
            annotation => digest::ANNOTATION,
            digest => digest::of([("calico-config", text.as_str())]),
            confined => table::is_confined(setup.version),
            one_program => table::is_one_program(setup.version),
            node => setup.images.node,
            cni => setup.images.cni,
            plugins => setup.images.plugins.unwrap_or_default(),
            api => api(setup.cluster),
            mtus => mtus(setup.is_ipv6()).to_vec(),
            settings => settings(setup),
            stop => program(setup, &["shutdown"], &["-shutdown"]),
            live => health(setup, "live"),
            ready => health(setup, "ready"),
        },
    )?);
    Ok(objects)
}

fn has_bgp(setup: &Setup<'_>) -> bool {
    setup.calico.transport.bgp().is_some()
}

/// Variables that take the MTU of one kind of tunnel each.
fn mtus(is_ipv6: bool) -> &'static [&'static str] {
    if is_ipv6 {
        &["FELIX_VXLANMTUV6", "FELIX_WIREGUARDMTUV6"]
    } else {
        &["FELIX_IPINIPMTU", "FELIX_VXLANMTU", "FELIX_WIREGUARDMTU"]
    }
}

/// Variables of the node, in the order in which they are written.
fn settings(setup: &Setup<'_>) -> Vec<(&'static str, String)> {
    let (bgp, ipv6) = (has_bgp(setup), setup.is_ipv6());
    let (address, method) = if ipv6 { ("IP6", "IP6_AUTODETECTION_METHOD") } else { ("IP", "IP_AUTODETECTION_METHOD") };
    let mut settings = vec![
        ("FELIX_HEALTHENABLED", "true".to_owned()),
        ("FELIX_IPV6SUPPORT", ipv6.to_string()),
        ("CLUSTER_TYPE", if bgp { "k8s,bgp" } else { "k8s" }.to_owned()),
        (address, "autodetect".to_owned()),
        (method, detection(&setup.calico.detection)),
    ];
    if ipv6 {
        settings.push(("IP", "none".to_owned()));
    }
    if ipv6 && bgp {
        // A router's identifier is 32 bits long; without an address of IPv4 it follows from the node's name.
        settings.push(("CALICO_ROUTER_ID", "hash".to_owned()));
    }
    settings.extend(api(setup.cluster));
    settings
}

fn detection(detection: &AddressDetection) -> String {
    match detection {
        AddressDetection::Inventory => "kubernetes-internal-ip".to_owned(),
        AddressDetection::Interfaces(patterns) => format!("interface={}", patterns.join(",")),
        AddressDetection::Networks(networks) => {
            format!("cidr={}", networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        }
    }
}

/// A command line of the node's program: its words since all of Calico is one program, and before.
fn program(setup: &Setup<'_>, words: &[&str], flags: &[&str]) -> Vec<String> {
    let (before, after) = if table::is_one_program(setup.version) {
        (&["calico", "component", "node"][..], words)
    } else {
        (&["/bin/calico-node"][..], flags)
    };
    before.iter().chain(after).map(|word| (*word).to_owned()).collect()
}

/// A probe; without BGP there is no BIRD to ask.
fn health(setup: &Setup<'_>, what: &str) -> Vec<String> {
    let parts = if has_bgp(setup) { &["felix", "bird"][..] } else { &["felix"] };
    let flags = |dashes: &str| parts.iter().map(|part| format!("{dashes}{part}-{what}")).collect::<Vec<_>>();
    let (words, flags) = (flags("--"), flags("-"));
    let mut command = program(setup, &["health"], &[]);
    command.extend(if table::is_one_program(setup.version) { words } else { flags });
    command
}
