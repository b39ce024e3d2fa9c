//! Endpoint and networks as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{SpecCalico, SpecDns, SpecProxy};
use crate::cluster::TransportProtocol;

/// How clients reach the API servers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecEndpoint {
    /// DNS name of the API, by default `api.NAME.kubewright.internal`. The hosts get it in /etc/hosts.
    pub(in crate::inventory) host: Option<String>,
    /// Port that clients dial.
    #[schemars(range(min = 1), extend("default" = 6443))]
    pub(in crate::inventory) port: Option<u16>,
    /// Who answers there.
    #[schemars(extend("default" = "local"))]
    pub(in crate::inventory) mode: Option<Mode>,
    /// Mode `vip`: the virtual address, in the same layer-2 network as the masters and used by nobody.
    pub(in crate::inventory) vip: Option<String>,
    /// Mode `vip`: the interface that carries it; found by the host's address when left out.
    pub(in crate::inventory) interface: Option<String>,
    /// Mode `vip`: the VRRP router id, 1 to 255, unique in the layer-2 network.
    #[schemars(range(min = 1))]
    pub(in crate::inventory) router_id: Option<u8>,
    /// Mode `external`: the load balancer's address, when /etc/hosts should name it.
    pub(in crate::inventory) address: Option<String>,
}

/// Who answers at the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum Mode {
    /// HAProxy on every host's loopback, in front of all API servers.
    Local,
    /// A virtual address that keepalived keeps on one of the masters.
    Vip,
    /// A load balancer that somebody else runs.
    External,
}

/// Who connects the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum SpecNetworkPlugin {
    /// CNI bridge and host-local on each node, static routes between nodes that share a layer 2.
    Bridge,
    /// Calico, from the cluster image.
    Calico,
    /// Nothing is installed; the nodes stay NotReady until somebody brings a network.
    None,
}

/// Pod and service networks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecNetwork {
    /// Who connects the pods.
    #[schemars(extend("default" = "bridge"))]
    pub(in crate::inventory) plugin: Option<SpecNetworkPlugin>,
    /// Plugin `calico`: how it connects the pods.
    pub(in crate::inventory) calico: Option<SpecCalico>,
    /// Addresses of pods.
    #[schemars(extend("default" = "10.244.0.0/16"))]
    pub(in crate::inventory) pod_cidr: Option<String>,
    /// Addresses of services.
    #[schemars(extend("default" = "10.96.0.0/16"))]
    pub(in crate::inventory) service_cidr: Option<String>,
    /// Prefix length of each node's part of `podCidr`; 24 by default, 64 for IPv6.
    #[schemars(range(min = 1, max = 128))]
    pub(in crate::inventory) node_prefix: Option<u8>,
    /// DNS domain of services.
    #[schemars(extend("default" = "cluster.local"))]
    pub(in crate::inventory) domain: Option<String>,
    /// The cluster's DNS.
    pub(in crate::inventory) dns: Option<SpecDns>,
    /// kube-proxy.
    pub(in crate::inventory) proxy: Option<SpecProxy>,
    /// Traffic that connection tracking leaves alone, so that it does not fill its table: that of load balancers on the
    /// nodes. Nothing of Services or pods, which have to be translated, and no port that the hosts need themselves.
    pub(in crate::inventory) untracked: Option<Vec<SpecUntracked>>,
}

/// Traffic with a port of a network, in both directions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecUntracked {
    /// Addresses that have the port, such as 203.0.113.0/24.
    #[schemars(required)]
    pub(in crate::inventory) cidr: Option<String>,
    /// The port.
    #[schemars(required, range(min = 1))]
    pub(in crate::inventory) port: Option<u16>,
    /// What the port is of.
    #[schemars(extend("default" = "tcp"))]
    pub(in crate::inventory) protocol: Option<TransportProtocol>,
}
