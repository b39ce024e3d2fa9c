//! What a former run has left: components, etcd data, the pod subnet.

use serde_json::Value;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::resource::{PROXY_NOTE, SNAPSHOTS, unpacked_from};
use super::super::restores;
use crate::cluster::Facts;
use crate::desired::ETCD_JOINED;

const CNI: &str = "/etc/cni/net.d/10-kubewright.conflist";
const CNI_DIRECTORY: &str = "/etc/cni/net.d";
const API_SERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
const COMPONENTS: &str = "/opt/kubewright";

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    facts.has_etcd_data = machine.exists("/var/lib/etcd/member")?;
    facts.etcd_joined = machine.exists(ETCD_JOINED)?;
    facts.restoring = restores::under_way(machine)?.map(|restore| restore.title);
    facts.had_ipvs = machine.exists(PROXY_NOTE)? && machine.exists("/proc/net/ip_vs")?;
    facts.has_thin_snapshots = machine.exists(SNAPSHOTS)?;
    // A file that somebody broke tells nothing; converging writes it anew.
    facts.pod_cidr = machine.text(CNI)?.and_then(|text| subnet(&serde_json::from_str(&text).ok()?));
    facts.cni = machine.names(CNI_DIRECTORY)?;
    facts.cni.retain(|name| [".conf", ".conflist", ".json"].iter().any(|end| name.ends_with(end)));
    facts.cni.sort();
    if let Some(manifest) = machine.text(API_SERVER)? {
        facts.service_cidr = flag(&manifest, "service-cluster-ip-range");
        let issuer = flag(&manifest, "service-account-issuer");
        facts.domain = issuer.and_then(|issuer| Some(issuer.strip_prefix(ISSUER)?.to_owned()));
    }
    facts.static_pods = machine.names("/etc/kubernetes/manifests")?;
    for name in machine.names(COMPONENTS)? {
        for version in machine.names(&format!("{COMPONENTS}/{name}"))? {
            if version.starts_with('.') {
                continue;
            }
            if let Some(digest) = unpacked_from(machine, &format!("{COMPONENTS}/{name}/{version}"))? {
                facts.components.insert(format!("{name}/{version}"), digest);
            }
        }
    }
    Ok(())
}

/// Before the cluster domain in the API server's issuer.
const ISSUER: &str = "https://kubernetes.default.svc.";

/// The value of a flag in the manifest of a static pod.
fn flag(manifest: &str, name: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let word = line.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
        Some(word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('=')?.to_owned())
    })
}

/// The first subnet that host-local hands addresses from, wherever it stands: `subnet`, or the first of `ranges`.
fn subnet(json: &Value) -> Option<String> {
    match json {
        Value::Object(map) => {
            if map.get("type").and_then(Value::as_str) == Some("host-local") {
                return first_subnet(json);
            }
            map.values().find_map(subnet)
        }
        Value::Array(list) => list.iter().find_map(subnet),
        _ => None,
    }
}

fn first_subnet(json: &Value) -> Option<String> {
    match json {
        Value::Object(map) => {
            map.get("subnet").and_then(Value::as_str).map(str::to_owned).or_else(|| map.values().find_map(first_subnet))
        }
        Value::Array(list) => list.iter().find_map(first_subnet),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_are_found_quoted_or_not() {
        let manifest =
            "  - command:\n    - kube-apiserver\n    - --service-cluster-ip-range=10.96.0.0/16\n    - \"--a=b\"\n";
        assert_eq!(flag(manifest, "service-cluster-ip-range").as_deref(), Some("10.96.0.0/16"));
        assert_eq!(flag(manifest, "a").as_deref(), Some("b"));
        assert_eq!(flag(manifest, "service"), None);
    }

    #[test]
    fn the_subnet_is_found_in_either_form() {
        let ranges = json!({"plugins": [{"type": "bridge", "ipam": {
            "type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]});
        assert_eq!(subnet(&ranges).as_deref(), Some("10.244.1.0/24"));
        let plain = json!({"plugins": [{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}]});
        assert_eq!(subnet(&plain).as_deref(), Some("10.1.0.0/24"));
        assert_eq!(subnet(&json!({"plugins": [{"ipam": {"type": "calico-ipam", "subnet": "usePodCidr"}}]})), None);
    }
}
