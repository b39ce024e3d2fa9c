//! What the mode of kube-proxy asks of kernels, and what becomes of it.

use super::{Found, Severity, Subject};
use crate::cluster::ProxyMode;
use crate::desired::kernel::release::Release;
use crate::versions::proxy::{ModeSupport, NFTABLES_LINUX, mode};

pub(super) fn proxy(subject: &Subject<'_>) -> Vec<Found> {
    let (wanted, version) = (&subject.cluster.network.proxy.mode, subject.image.kubernetes);
    let (major, minor) = NFTABLES_LINUX;
    let mut found = match wanted {
        ProxyMode::Nftables => subject.each(|host, facts| {
            let old = host.roles.is_node() && Release::parse(&facts.kernel)? < Release(major, minor);
            let message = format!("Linux {} is too old for kube-proxy's mode nftables ({major}.{minor})", facts.kernel);
            old.then(|| (message, "boot a newer kernel, or set spec.network.proxy.mode to iptables".to_owned()))
        }),
        ProxyMode::Ipvs(_) | ProxyMode::Iptables => Vec::new(),
    };
    if mode(wanted, version) == ModeSupport::Deprecated {
        let message = format!("kube-proxy {version} calls its mode {} deprecated", wanted.as_str());
        let hint = "write `proxy: {mode: nftables}` (Linux 5.13 or later) or `iptables`: an install with it empties one \
                    node after the other; IPVS is to be switched off in Kubernetes 1.40 and to go in 1.43";
        found.push(Found { host: None, message, hint: hint.into(), severity: Some(Severity::Warning) });
    }
    found
}
