//! Modes of kube-proxy by minor: IPVS is deprecated since 1.35 and going away (KEP-5495), nftables has come (KEP-3866).

use crate::cluster::{KubeVersion, ProxyMode};

/// What a minor makes of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeSupport {
    /// It works.
    Works,
    /// It works, and says that it will go.
    Deprecated,
    /// It works when this feature gate is switched on.
    NeedsGate(&'static str),
    /// There is no such mode: not any more, or not yet.
    Absent,
}

/// The first Linux on which kube-proxy takes nftables.
pub const NFTABLES_LINUX: (u32, u32) = (5, 13);

/// Whether kube-proxy of `version` runs in `mode`. Minors beyond the supported range follow the published plan.
pub fn mode(mode: &ProxyMode, version: KubeVersion) -> ModeSupport {
    match (mode, version.minor) {
        (ProxyMode::Iptables, _) | (ProxyMode::Ipvs(_), ..=34) | (ProxyMode::Nftables, 31..) => ModeSupport::Works,
        (ProxyMode::Ipvs(_), 35..=39) => ModeSupport::Deprecated,
        (ProxyMode::Ipvs(_), 40..=42) => ModeSupport::NeedsGate("KubeProxyIPVS"),
        (ProxyMode::Nftables, 29..=30) => ModeSupport::NeedsGate("NFTablesProxyMode"),
        (ProxyMode::Ipvs(_), 43..) | (ProxyMode::Nftables, ..=28) => ModeSupport::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Ipvs;

    #[test]
    fn modes_come_and_go_by_the_plan() {
        use ModeSupport::{Absent, Deprecated, NeedsGate, Works};
        let ipvs = ProxyMode::Ipvs(Ipvs::default());
        for (minor, of_ipvs, of_nftables) in [
            (20, Works, Absent),
            (28, Works, Absent),
            (29, Works, NeedsGate("NFTablesProxyMode")),
            (30, Works, NeedsGate("NFTablesProxyMode")),
            (34, Works, Works),
            (35, Deprecated, Works),
            (39, Deprecated, Works),
            (40, NeedsGate("KubeProxyIPVS"), Works),
            (42, NeedsGate("KubeProxyIPVS"), Works),
            (43, Absent, Works),
        ] {
            let version = KubeVersion::new(1, minor, 0);
            assert_eq!(mode(&ipvs, version), of_ipvs, "1.{minor}");
            assert_eq!(mode(&ProxyMode::Nftables, version), of_nftables, "1.{minor}");
            assert_eq!(mode(&ProxyMode::Iptables, version), Works, "1.{minor}");
        }
    }
}
