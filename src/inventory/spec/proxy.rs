//! kube-proxy as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::IpvsScheduler;

/// kube-proxy.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecProxy {
    /// How service addresses are routed. A change empties one node after the other, as an upgrade does.
    #[schemars(extend("default" = "ipvs"))]
    pub(in crate::inventory) mode: Option<SpecProxyMode>,
    /// How IPVS chooses among the pods of a service.
    #[schemars(extend("default" = "rr"))]
    pub(in crate::inventory) scheduler: Option<IpvsScheduler>,
    /// When IPVS forgets idle connections.
    pub(in crate::inventory) timeouts: Option<SpecIpvsTimeouts>,
    /// Networks of virtual servers that others keep in IPVS (keepalived, for one); without this kube-proxy removes them.
    pub(in crate::inventory) exclude_cidrs: Option<Vec<String>>,
    /// Networks of the nodes' addresses where NodePorts answer; all of them when left out.
    pub(in crate::inventory) node_port_addresses: Option<Vec<String>>,
}

/// How kube-proxy routes service addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum SpecProxyMode {
    /// IP virtual server: constant time for any number of services. Deprecated by Kubernetes from 1.35 on.
    Ipvs,
    /// iptables rules.
    Iptables,
    /// nftables rules, from Kubernetes 1.29 and Linux 5.13 on.
    Nftables,
}

/// When IPVS forgets idle connections. Whole seconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecIpvsTimeouts {
    /// TCP; 15m by the kernel.
    pub(in crate::inventory) tcp: Option<String>,
    /// TCP after a FIN; 2m by the kernel.
    pub(in crate::inventory) tcp_fin: Option<String>,
    /// UDP; 5m by the kernel.
    pub(in crate::inventory) udp: Option<String>,
}
