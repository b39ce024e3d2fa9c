//! Modes of kube-proxy: IPVS is deprecated since 1.35 and going away (KEP-5495).

use crate::cluster::{KubeVersion, ProxyMode};

/// What a minor makes of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeSupport {
    /// It works.
    Works,
    /// It works when this feature gate is switched on.
    NeedsGate(&'static str),
    /// The code is gone.
    Gone,
}

/// Whether kube-proxy of `version` runs in `mode`. Minors beyond the supported range follow the published plan.
pub fn mode(mode: ProxyMode, version: KubeVersion) -> ModeSupport {
    match (mode, version.minor) {
        (ProxyMode::Iptables, _) | (ProxyMode::Ipvs, ..=39) => ModeSupport::Works,
        (ProxyMode::Ipvs, 40..=42) => ModeSupport::NeedsGate("KubeProxyIPVS"),
        (ProxyMode::Ipvs, 43..) => ModeSupport::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipvs_goes_away_by_the_plan() {
        for (minor, expected) in [
            (20, ModeSupport::Works),
            (37, ModeSupport::Works),
            (39, ModeSupport::Works),
            (40, ModeSupport::NeedsGate("KubeProxyIPVS")),
            (42, ModeSupport::NeedsGate("KubeProxyIPVS")),
            (43, ModeSupport::Gone),
        ] {
            assert_eq!(mode(ProxyMode::Ipvs, KubeVersion::new(1, minor, 0)), expected, "1.{minor}");
            assert_eq!(mode(ProxyMode::Iptables, KubeVersion::new(1, minor, 0)), ModeSupport::Works);
        }
    }
}
