//! Labels that are not the user's to set.

use super::{Place, Violation};
use crate::cluster::Parts;

/// Keys that the kubelet or kubewright sets, and where their value comes from.
const RESERVED: [(&str, &str); 7] = [
    ("kubernetes.io/hostname", "it is the host's `name`"),
    ("kubernetes.io/os", "the kubelet sets it"),
    ("kubernetes.io/arch", "the kubelet sets it"),
    ("node-role.kubernetes.io/control-plane", "it comes from `roles`"),
    ("node-role.kubernetes.io/master", "it comes from `roles`"),
    ("topology.kubewright.dev/idc", "it comes from `idc`"),
    ("topology.kubewright.dev/rack", "it comes from `rack`"),
];

const ZONE: &str = "topology.kubernetes.io/zone";

/// Where the value of a label comes from that is not the user's to set; none for any other.
pub fn reserved_label(key: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(reserved, _)| *reserved == key).map(|(_, from)| *from)
}

pub(super) fn no_label_is_reserved(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, host) in parts.hosts.iter().enumerate() {
        for (key, value) in &host.labels {
            let place = Place::host(index, "labels").with_key(key.as_str());
            if let Some(from) = reserved_label(key.as_str()) {
                let message = format!("the label {key} is not yours to set");
                violations.push(Violation::new(place, message, format!("remove it: {from}")));
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
