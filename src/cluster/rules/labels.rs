//! Labels that are not the user's to set.

use super::{Place, Violation};
use crate::cluster::{Parts, REFLECTOR};

/// Keys that the kubelet or kubewright sets, and where their value comes from.
const RESERVED: [(&str, &str); 11] = [
    ("beta.kubernetes.io/arch", "the kubelet sets it"),
    ("beta.kubernetes.io/os", "the kubelet sets it"),
    ("kubernetes.io/hostname", "it is the host's `name`"),
    ("kubernetes.io/os", "the kubelet sets it"),
    ("kubernetes.io/arch", "the kubelet sets it"),
    ("node-role.kubernetes.io/control-plane", "it comes from `roles`"),
    ("node-role.kubernetes.io/master", "it comes from `roles`"),
    ("node-role.kubernetes.io/worker", "it comes from `roles`"),
    (REFLECTOR, "it comes from `network.calico.bgp.routeReflectors`"),
    ("topology.kubewright.dev/idc", "it comes from `idc`"),
    ("topology.kubewright.dev/rack", "it comes from `rack`"),
];

/// Prefixes under which nobody but Kubernetes itself and kubewright invents keys, and what the user may take instead.
/// Those of parts of it, such as `topology.kubernetes.io/` and `node-restriction.kubernetes.io/`, are for the user, too.
const PREFIXES: [(&str, &str); 4] = [
    ("kubernetes.io/", "Kubernetes keeps its prefix to itself: take one of your own, such as example.com/"),
    ("k8s.io/", "Kubernetes keeps its prefix to itself: take one of your own, such as example.com/"),
    ("kubewright.dev/", "kubewright keeps its prefix to itself: take one of your own, such as example.com/"),
    ("topology.kubewright.dev/", "kubewright keeps its prefix to itself: take one of your own, such as example.com/"),
];

/// What kubectl shows as a node's role, and people have set since before there were other ways.
const OLD_ROLE: &str = "kubernetes.io/role";

const ZONE: &str = "topology.kubernetes.io/zone";

/// Where the value of a label comes from that is not the user's to set; none for any other.
pub fn reserved_label(key: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(reserved, _)| *reserved == key).map(|(_, from)| *from)
}

/// Why nobody invents a label with the prefix of this one; none where the prefix is free, or the label is known.
pub fn kept_prefix(key: &str) -> Option<&'static str> {
    let kept = PREFIXES.iter().find(|(prefix, _)| key != OLD_ROLE && key.starts_with(prefix));
    kept.filter(|_| reserved_label(key).is_none()).map(|(_, why)| *why)
}

pub(super) fn no_label_is_reserved(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, host) in parts.hosts.iter().enumerate() {
        for (key, value) in &host.labels {
            let place = Place::host(index, "labels").with_key(key.as_str());
            if let Some(from) = reserved_label(key.as_str()) {
                let message = format!("the label {key} is not yours to set");
                violations.push(Violation::new(place, message, format!("remove it: {from}")));
            } else if let Some(why) = kept_prefix(key.as_str()) {
                violations.push(Violation::new(place, format!("the label {key} is not yours to set"), why));
            } else if key.as_str() == ZONE
                && let Some(idc) = &host.idc
                && idc != value.as_str()
            {
                let message = format!("the label {ZONE} says {value}, `idc` says {idc} for {}", host.name);
                let hint = format!("`idc` sets {ZONE}: remove the label");
                violations.push(Violation::new(place, message, hint).with(Place::host(index, "idc")));
            }
        }
    }
    violations
}
