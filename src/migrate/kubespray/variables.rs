//! Variables of kubespray that have a field in our inventory.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use super::reader::Reader;
use crate::migrate::arguments::{self, APISERVER};
use crate::migrate::document::Node;
use crate::migrate::draft::At;
use crate::migrate::units;

/// Flags of the API server for OpenID Connect, by variable.
const OIDC: [(&str, &str); 6] = [
    ("kube_oidc_url", "oidc-issuer-url"),
    ("kube_oidc_client_id", "oidc-client-id"),
    ("kube_oidc_username_claim", "oidc-username-claim"),
    ("kube_oidc_username_prefix", "oidc-username-prefix"),
    ("kube_oidc_groups_claim", "oidc-groups-claim"),
    ("kube_oidc_groups_prefix", "oidc-groups-prefix"),
];

/// Flags as kubespray hands them to kubeadm, by variable.
const FLAGS: [(&str, &str); 3] = [
    ("kube_kubeadm_apiserver_extra_args", APISERVER),
    ("kube_kubeadm_controller_extra_args", "kube-controller-manager"),
    ("kube_kubeadm_scheduler_extra_args", "kube-scheduler"),
];

/// Carries everything over that holds for all of the cluster, but endpoint and Calico.
pub(super) fn carry(reader: &mut Reader<'_>) {
    let version = reader.text("kube_version").map(|(version, _)| version.trim_start_matches('v').to_owned());
    reader.draft.version = version;
    network(reader);
    proxy(reader);
    dns(reader);
    control_plane(reader);
    etcd(reader);
    hosts(reader);
}

fn network(reader: &mut Reader<'_>) {
    let plugin = reader.text("kube_network_plugin");
    match plugin.as_ref().map_or("calico", |(plugin, _)| plugin.as_str()) {
        "calico" => {
            let plugin = plugin.clone();
            let note = "the image needs calico and calico-crds";
            let setting = reader.set("network.plugin", "kube_network_plugin", plugin, "calico");
            setting.note =
                Some(setting.note.take().map_or_else(|| note.into(), |default| format!("{default}; {note}")));
        }
        other => {
            let (ours, change) = crate::migrate::plugin::instead_of(other);
            reader.draft.set("network.plugin", ours, plugin.as_ref().map(|(_, at)| at)).change_me = Some(change);
        }
    }
    let v6 = reader.switch("ipv4_stack").is_some_and(|(on, _)| !on);
    if let Some((true, at)) = reader.switch("ipv6_stack").filter(|_| !v6) {
        reader.draft.leave("ipv6_stack", &at, "clusters of kubewright have one address family");
    }
    if v6 {
        let pods = reader.text("kube_pods_subnet_ipv6");
        reader.set("network.podCidr", "kube_pods_subnet_ipv6", pods, "fd85:ee78:d8a6:8607::1:0/112");
        let services = reader.text("kube_service_addresses_ipv6");
        reader.set("network.serviceCidr", "kube_service_addresses_ipv6", services, "fd85:ee78:d8a6:8607::1000/116");
        let prefix = reader.number("kube_network_node_prefix_ipv6").map_or(120, |(prefix, _)| prefix);
        reader.draft.set("network.nodePrefix", prefix, None);
    } else {
        let pods = reader.text("kube_pods_subnet");
        reader.set("network.podCidr", "kube_pods_subnet", pods, "10.233.64.0/18");
        let services = reader.text("kube_service_addresses");
        reader.set("network.serviceCidr", "kube_service_addresses", services, "10.233.0.0/18");
        if let Some((prefix, at)) = reader.number("kube_network_node_prefix") {
            reader.draft.set("network.nodePrefix", prefix, Some(&at));
        }
    }
    let name = reader.text("cluster_name");
    if let Some((domain, at)) = domain(reader).or(name) {
        reader.draft.set("network.domain", domain, Some(&at));
    }
}

/// The DNS domain, unless it is `cluster_name`, which it is by default.
fn domain(reader: &mut Reader<'_>) -> Option<(String, At)> {
    let by_default = |node: &Node| node.text().is_some_and(|text| text.replace(' ', "") == "{{cluster_name}}");
    if reader.peek("dns_domain").is_some_and(by_default) {
        return None;
    }
    reader.text("dns_domain")
}

fn proxy(reader: &mut Reader<'_>) {
    let known =
        |node: &Node| node.text().filter(|mode| ["ipvs", "iptables", "nftables"].contains(mode)).map(str::to_owned);
    let mode = reader.read("kube_proxy_mode", known);
    let ipvs = mode.as_ref().is_none_or(|(mode, _)| mode == "ipvs");
    reader.set("network.proxy.mode", "kube_proxy_mode", mode, "ipvs");
    if let Some((false, at)) = reader.switch("kube_proxy_strict_arp").filter(|_| ipvs) {
        reader.draft.leave("kube_proxy_strict_arp", &at, "with IPVS, kube-proxy always has strictARP");
    }
    let scheduler =
        |node: &Node| node.text().filter(|name| ["rr", "wrr", "lc", "sh"].contains(name)).map(str::to_owned);
    if let Some((scheduler, at)) = reader.read("kube_proxy_scheduler", scheduler).filter(|_| ipvs) {
        reader.draft.set("network.proxy.scheduler", scheduler, Some(&at));
    }
    if let Some((networks, at)) = reader.texts("kube_proxy_exclude_cidrs").filter(|_| ipvs) {
        reader.draft.set("network.proxy.excludeCidrs", networks, Some(&at));
    }
    if let Some((networks, at)) = reader.texts("kube_proxy_nodeport_addresses") {
        reader.draft.set("network.proxy.nodePortAddresses", networks, Some(&at));
    }
}

fn dns(reader: &mut Reader<'_>) {
    match reader.text("dns_mode") {
        Some((mode, at)) if ["none", "manual"].contains(&mode.as_str()) => {
            reader.draft.set("network.dns.server", "none", Some(&at));
            return;
        }
        Some((mode, at)) if mode != "coredns" => {
            reader.draft.leave("dns_mode", &at, "there is one CoreDNS, with as many replicas as the nodes need");
        }
        _ => {}
    }
    if let Some((servers, at)) = reader.texts("upstream_dns_servers") {
        let is_address = |text: &String| text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok();
        let (servers, others): (Vec<String>, Vec<String>) = servers.into_iter().partition(is_address);
        if !servers.is_empty() {
            reader.draft.set("network.dns.upstreams", servers, Some(&at));
        }
        if !others.is_empty() {
            reader.draft.leave(
                "upstream_dns_servers",
                &at,
                "some of them are no addresses: `upstreams` wants ADDRESS[:PORT]",
            );
        }
    }
    let local = reader.switch("enable_nodelocaldns");
    if local.as_ref().is_none_or(|(on, _)| *on) {
        let note = "the image needs k8s-dns-node-cache";
        let note = if local.is_none() { format!("kubespray's default; {note}") } else { note.to_owned() };
        reader.draft.set("network.dns.nodeLocal", true, local.as_ref().map(|(_, at)| at)).note = Some(note);
    }
}

fn control_plane(reader: &mut Reader<'_>) {
    if let Some((names, at)) = reader.texts("supplementary_addresses_in_ssl_keys") {
        reader.draft.set("controlPlane.certSans", names, Some(&at));
    }
    if reader.is_on("kube_oidc_auth") {
        for (name, flag) in OIDC {
            if let Some((value, at)) = reader.text(name) {
                arguments::carry(reader.draft, APISERVER, (flag, &value), name, &at);
            }
        }
    }
    if let Some((time, at)) = reader.text("event_ttl_duration").filter(|(time, _)| time != "1h0m0s") {
        arguments::carry(reader.draft, APISERVER, ("event-ttl", &time), "event_ttl_duration", &at);
    }
    for (name, component) in FLAGS {
        let Some(flags) = reader.take(name) else { continue };
        for (flag, value) in flags.entries() {
            let key = format!("{name}.{flag}");
            arguments::carry(reader.draft, component, (flag, value.text().unwrap_or_default()), &key, &value.at);
        }
    }
}

fn etcd(reader: &mut Reader<'_>) {
    if let Some((_, at)) = reader.text("etcd_deployment_type").filter(|(kind, _)| kind != "host") {
        reader.draft.leave("etcd_deployment_type", &at, "etcd always runs beside Kubernetes, as a service of the host");
    }
    if let Some((bytes, at)) = reader.number("etcd_quota_backend_bytes") {
        reader.draft.set("etcd.quota", units::size(bytes), Some(&at));
    }
    for (name, field) in [("etcd_heartbeat_interval", "etcd.heartbeat"), ("etcd_election_timeout", "etcd.election")] {
        if let Some((milliseconds, at)) = reader.number(name) {
            reader.draft.set(field, format!("{milliseconds}ms"), Some(&at));
        }
    }
    if let Some((_, at)) = reader.text("etcd_data_dir").filter(|(directory, _)| directory != "/var/lib/etcd") {
        let why = "etcd's data are in /var/lib/etcd; `disks: [{for: etcd, …}]` puts them on a disk of their own";
        reader.draft.leave("etcd_data_dir", &at, why);
    }
}

fn hosts(reader: &mut Reader<'_>) {
    if let Some((pods, at)) = reader.number("kubelet_max_pods") {
        reader.draft.set("kubelet.maxPods", pods, Some(&at));
    }
    if let Some((false, at)) = reader.switch("kubelet_fail_swap_on") {
        let setting = reader.draft.set("kernel.swap", "limited", Some(&at));
        setting.note = Some("wants Kubernetes 1.28 and cgroup v2".into());
    }
    if let Some(list) = reader.take("additional_sysctl") {
        let pairs = list
            .items()
            .iter()
            .filter_map(|item| Some((item.get("name")?.text()?.to_owned(), Value::from(item.get("value")?.text()?))));
        let pairs: Map<String, Value> = pairs.collect();
        if !pairs.is_empty() {
            reader.draft.set("kernel.sysctls", pairs, Some(&list.at));
        }
    }
    if let Some((manager, at)) = reader.text("container_manager").filter(|(manager, _)| manager != "containerd") {
        reader.draft.leave("container_manager", &at, format!("nodes run containerd, not {manager}"));
    }
}
