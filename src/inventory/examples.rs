//! Examples of what is written in an inventory, for editors and the reference. Each is valid; a test sees to that.

use serde_json::{Value, json};

/// Puts the examples into the schema.
pub(super) fn add_to(schema: &mut Value) {
    for (definition, key, examples) in table() {
        let place = place(definition, key);
        if let Some(Value::Object(property)) = schema.pointer_mut(&place) {
            property.insert("examples".into(), examples);
        }
    }
}

/// Where a key is in the schema. The document itself is no definition, and what stands in it only once is none either.
fn place(definition: &str, key: &str) -> String {
    match definition {
        "Document" => format!("/properties/{key}"),
        "Metadata" => format!("/properties/metadata/properties/{key}"),
        "SpecCluster" => format!("/properties/spec/properties/{key}"),
        _ => format!("/$defs/{definition}/properties/{key}"),
    }
}

/// The definition, the key in it, and a list of examples.
fn table() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("BastionHop", "host", json!(["jump.example"])),
        ("Document", "metadata", json!([{"name": "prod-bj1"}])),
        (
            "Document",
            "spec",
            json!([{"image": "oci:images/kubernetes", "hosts": [{"name": "m1", "address": "10.1.0.11", "roles": ["control-plane", "etcd", "worker"]}]}]),
        ),
        ("Metadata", "name", json!(["prod-bj1"])),
        ("SpecAddon", "name", json!(["limits"])),
        ("SpecAddon", "path", json!(["addons/limits.yaml", "addons/dashboards"])),
        ("SpecAddressDetection", "interfaces", json!([["bond0", "eth.*"]])),
        ("SpecAddressDetection", "networks", json!([["10.1.0.0/16"]])),
        ("SpecAutoscale", "nodesPerReplica", json!([16])),
        ("SpecBgp", "asNumber", json!([64512])),
        ("SpecBgp", "racks", json!([{"r1": {"peers": [{"ip": "10.1.1.254", "as": 65001}]}}])),
        ("SpecBucket", "bucket", json!(["backups"])),
        ("SpecBucket", "credentialsFile", json!(["s3.credentials"])),
        ("SpecBucket", "endpoint", json!(["https://s3.example.com"])),
        ("SpecBucket", "prefix", json!(["prod/etcd"])),
        ("SpecCalico", "mtu", json!([8950])),
        (
            "SpecCluster",
            "hosts",
            json!([[{"name": "m1", "address": "10.1.0.11", "roles": ["control-plane", "etcd", "worker"]}]]),
        ),
        ("SpecCluster", "image", json!(["oci:images/kubernetes"])),
        ("SpecControlPlane", "certSans", json!([["api.bj1.example", "203.0.113.7"]])),
        ("SpecControlPlane", "extraArgs", json!([{"kube-apiserver": {"event-ttl": "4h"}}])),
        ("SpecDisk", "device", json!(["/dev/disk/by-id/nvme-eui.0025388b01"])),
        ("SpecDisk", "size", json!([">=500GiB"])),
        ("SpecDistribution", "rateLimit", json!(["400MiB"])),
        ("SpecDns", "stubDomains", json!([{"corp.example": ["10.0.0.53"]}])),
        ("SpecDns", "upstreams", json!([["10.0.0.2", "10.0.0.3"]])),
        ("SpecDrain", "timeout", json!(["10m"])),
        ("SpecEndpoint", "host", json!(["api.bj1.example"])),
        ("SpecEndpoint", "vip", json!(["10.1.0.10"])),
        ("SpecEtcd", "quota", json!(["8GiB"])),
        ("SpecHost", "address", json!(["10.1.0.11", "10.1.0.[11-13]"])),
        ("SpecHost", "idc", json!(["bj1"])),
        ("SpecHost", "labels", json!([{"function": "online"}])),
        ("SpecHost", "name", json!(["m1", "n[001-040]"])),
        ("SpecHost", "rack", json!(["r4", "r[1-3]"])),
        ("SpecHost", "roles", json!([["control-plane", "etcd"], ["worker"]])),
        ("SpecImageTrust", "keys", json!([["image-signing.pub"]])),
        ("SpecIrq", "leaveCpus", json!(["0", "0-1,32-33"])),
        ("SpecIpvsTimeouts", "tcp", json!(["15m"])),
        ("SpecIpvsTimeouts", "tcpFin", json!(["2m"])),
        ("SpecIpvsTimeouts", "udp", json!(["5m"])),
        ("SpecKernel", "hugepages", json!([{"2MiB": 1024}])),
        ("SpecKernel", "modules", json!([["dummy"]])),
        ("SpecKernel", "sysctls", json!([{"net.core.somaxconn": 65535}])),
        ("SpecKubelet", "maxPods", json!([200])),
        ("SpecNetwork", "podCidr", json!(["10.244.0.0/16"])),
        ("SpecNetwork", "serviceCidr", json!(["10.96.0.0/16"])),
        ("SpecPool", "cidr", json!(["10.244.0.0/17"])),
        ("SpecPool", "name", json!(["bj1"])),
        ("SpecPool", "nodeSelector", json!(["topology.kubewright.dev/idc == 'bj1'"])),
        ("SpecRackPeers", "peers", json!([[{"ip": "10.1.1.254", "as": 65001}]])),
        ("SpecRouter", "as", json!([65001])),
        ("SpecRouter", "ip", json!(["10.1.1.254"])),
        ("SpecSnapshots", "every", json!(["1h"])),
        ("SpecSnapshots", "maxAge", json!(["3h"])),
        ("SpecSnapshots", "proveEvery", json!(["7d"])),
        ("SpecSnapshots", "targets", json!([[{"directory": "/var/backups/etcd"}]])),
        ("SpecSsh", "bastion", json!(["ops@jump.example"])),
        ("SpecSsh", "identityFile", json!(["~/.ssh/id_ed25519"])),
        ("SpecTaint", "key", json!(["dedicated"])),
        ("SpecUntracked", "cidr", json!(["203.0.113.0/24"])),
        ("SpecUntracked", "port", json!([443])),
        ("SpecUpgrade", "maxUnavailable", json!([1, "10%"])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_for_keys_that_exist_and_of_the_right_kind() {
        let schema = crate::inventory::schema();
        for (definition, key, examples) in table() {
            let place = place(definition, key);
            let property = schema.pointer(&place).unwrap_or_else(|| panic!("{place} is no key"));
            let kinds: Vec<&str> = match &property["type"] {
                Value::String(kind) => vec![kind],
                Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                // A choice between kinds, or a definition elsewhere.
                _ => continue,
            };
            for example in examples.as_array().unwrap() {
                let kind = match example {
                    Value::String(_) => "string",
                    Value::Number(_) => "integer",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                    other => panic!("{place}: {other}"),
                };
                assert!(kinds.contains(&kind), "{place}: {example} is no {kinds:?}");
            }
        }
    }
}
