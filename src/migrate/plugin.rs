//! Network plugins of other tools that kubewright does not have.

/// What to write instead, and what has to be decided.
pub(in crate::migrate) fn instead_of(plugin: &str) -> (&'static str, String) {
    let plugin: String = plugin.chars().filter(|c| c.is_ascii_graphic()).collect();
    match plugin.as_str() {
        "none" | "cni" | "custom" | "cloud" => {
            ("none", "bring the network plugin as an add-on, or write `bridge` or `calico`".into())
        }
        // Small plugins that connect pods and do nothing else.
        "flannel" | "kuberouter" | "kube-router" | "weave" | "canal" | "macvlan" => (
            "bridge",
            format!(
                "{plugin} there; `bridge` wants nodes that share a layer 2, `calico` in mode vxlan or bgp does not"
            ),
        ),
        // Others are often chosen for what they do besides.
        _ => ("none", format!("{plugin} there; bring it as an add-on, or write `bridge` or `calico`")),
    }
}
