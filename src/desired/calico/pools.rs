//! Where pods get their addresses from. Every field that Calico's own client would fill in stands here: the API does
//! not do so.

use serde_json::{Value, json};

use super::{API, Setup, metadata};
use crate::cluster::{Overlay, Pool, Transport};
use crate::versions::calico as table;

pub(super) fn objects(setup: &Setup<'_>) -> Vec<Value> {
    setup.calico.pools.iter().map(|pool| object(setup, pool)).collect()
}

fn object(setup: &Setup<'_>, pool: &Pool) -> Value {
    let (ipip, vxlan) = match setup.calico.transport {
        Transport::Bgp { ipip, .. } => (ipip, None),
        Transport::Vxlan(overlay) => (None, Some(overlay)),
    };
    let mut spec = json!({
        "cidr": pool.cidr.trunc().to_string(),
        "blockSize": pool.block_size,
        "ipipMode": mode(ipip),
        "vxlanMode": mode(vxlan),
        "natOutgoing": pool.nat_outgoing,
        "nodeSelector": pool.node_selector,
        "allowedUses": ["Workload", "Tunnel"],
    });
    if table::has_assignment_mode(setup.version) {
        spec["assignmentMode"] = json!("Automatic");
    }
    json!({ "apiVersion": API, "kind": "IPPool", "metadata": metadata(&pool.name), "spec": spec })
}

fn mode(overlay: Option<Overlay>) -> &'static str {
    match overlay {
        None => "Never",
        Some(Overlay::Always) => "Always",
        Some(Overlay::CrossSubnet) => "CrossSubnet",
    }
}
