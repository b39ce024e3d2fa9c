//! Flags that make a component part of this cluster: with others it would serve the wrong data, or nobody.

use super::{Place, Violation};
use crate::cluster::Parts;

/// Flags that are refused, by component. Kubernetes reads `-` and `_` alike, the inventory allows `-` only.
const REFUSED: [(&str, &str, &[&str]); 3] = [
    (
        "kube-apiserver",
        "controlPlane.extraArgs.kube-apiserver",
        &[
            "advertise-address",
            "allow-privileged",
            "authorization-mode",
            "bind-address",
            "client-ca-file",
            "enable-bootstrap-token-auth",
            "etcd-cafile",
            "etcd-certfile",
            "etcd-keyfile",
            "etcd-prefix",
            "etcd-servers",
            "insecure-bind-address",
            "insecure-port",
            "kubelet-certificate-authority",
            "kubelet-client-certificate",
            "kubelet-client-key",
            "proxy-client-cert-file",
            "proxy-client-key-file",
            "requestheader-allowed-names",
            "requestheader-client-ca-file",
            "requestheader-extra-headers-prefix",
            "requestheader-group-headers",
            "requestheader-username-headers",
            "secure-port",
            "service-account-issuer",
            "service-account-key-file",
            "service-account-signing-key-file",
            "service-cluster-ip-range",
            "service-node-port-range",
            "storage-backend",
            "tls-cert-file",
            "tls-private-key-file",
        ],
    ),
    (
        "kube-controller-manager",
        "controlPlane.extraArgs.kube-controller-manager",
        &[
            "allocate-node-cidrs",
            "authentication-kubeconfig",
            "authorization-kubeconfig",
            "bind-address",
            "client-ca-file",
            "cluster-cidr",
            "cluster-name",
            "cluster-signing-cert-file",
            "cluster-signing-key-file",
            "kubeconfig",
            "leader-elect",
            "master",
            "node-cidr-mask-size",
            "node-cidr-mask-size-ipv4",
            "node-cidr-mask-size-ipv6",
            "port",
            "requestheader-client-ca-file",
            "root-ca-file",
            "secure-port",
            "service-account-private-key-file",
            "service-cluster-ip-range",
            "use-service-account-credentials",
        ],
    ),
    (
        "kube-scheduler",
        "controlPlane.extraArgs.kube-scheduler",
        &[
            "authentication-kubeconfig",
            "authorization-kubeconfig",
            "bind-address",
            "client-ca-file",
            "kubeconfig",
            "leader-elect",
            "master",
            "port",
            "requestheader-client-ca-file",
            "secure-port",
        ],
    ),
];

/// Where the inventory sets what a refused flag would set.
const FIELDS: [(&str, &str); 7] = [
    ("service-cluster-ip-range", "network.serviceCidr"),
    ("cluster-cidr", "network.podCidr"),
    ("node-cidr-mask-size", "network.nodePrefix"),
    ("node-cidr-mask-size-ipv4", "network.nodePrefix"),
    ("node-cidr-mask-size-ipv6", "network.nodePrefix"),
    ("cluster-name", "metadata.name"),
    ("advertise-address", "the host's `address`"),
];

/// Whether `flag` of `component` is kubewright's alone to set.
pub fn reserved_argument(component: &str, flag: &str) -> bool {
    REFUSED.iter().any(|(name, _, refused)| *name == component && refused.contains(&flag))
}

pub(super) fn no_argument_identifies_the_cluster(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (component, field, refused) in REFUSED {
        let flags = parts.control_plane.extra_args.get(component).into_iter().flatten();
        for (flag, _) in flags.filter(|(flag, _)| refused.contains(&flag.as_str())) {
            let hint = match FIELDS.iter().find(|(name, _)| name == flag) {
                Some((_, place)) => format!("set {place} instead"),
                None => "remove it: kubewright sets it from the rest of the inventory".into(),
            };
            let message = format!("the flag --{flag} of {component} identifies the cluster and is not yours to set");
            violations.push(Violation::new(Place::spec(field).with_key(flag.as_str()), message, hint));
        }
    }
    violations
}
