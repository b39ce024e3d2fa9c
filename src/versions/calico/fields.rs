//! The fields of FelixConfiguration: which version has which, and what they hold.

use crate::cluster::Version;

/// A field of FelixConfiguration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// First minor of Calico 3 that has it; 0 when that is older than the tables.
    pub since: u32,
    /// Last minor that has it.
    pub until: u32,
}

impl Field {
    /// Whether a version has it.
    pub fn is_known(&self, calico: Version) -> bool {
        (self.since..=self.until).contains(&calico.minor)
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Switch,
    /// A whole number that fits into 32 bits with a sign: the API takes no larger one.
    Number,
    /// A text.
    Text,
    /// Several texts.
    Texts,
    /// A number or a text.
    NumberOrText,
    /// Whole numbers, each with its unit. The API does not take fractions.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Something with fields of its own, for which the inventory has no words.
    Structure,
}

const ANY: u32 = u32::MAX;

const fn always(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, since: 0, until: ANY }
}

const fn since(minor: u32, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, since: minor, until: ANY }
}

const fn until(minor: u32, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, since: 0, until: minor }
}

const ACCEPT: Kind = Kind::Choice(&["Accept", "Return"]);
const DENY: Kind = Kind::Choice(&["Drop", "Reject"]);
const ENABLED: Kind = Kind::Choice(&["Enabled", "Disabled"]);
const SEVERITY: Kind = Kind::Choice(&["Debug", "Info", "Warning", "Error", "Fatal"]);

/// Every field but those of eBPF. Where it is not known with which of two minors one came, the later one stands here.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    // Rules.
    always("chainInsertMode", Kind::Choice(&["Insert", "Append"])),
    always("defaultEndpointToHostAction", Kind::Choice(&["Drop", "Accept", "Return"])),
    always("disableConntrackInvalidCheck", Kind::Switch),
    always("failsafeInboundHostPorts", Kind::Structure),
    always("failsafeOutboundHostPorts", Kind::Structure),
    since(23, "floatingIPs", ENABLED),
    always("genericXDPEnabled", Kind::Switch),
    since(29, "ipForwarding", ENABLED),
    always("iptablesBackend", Kind::Choice(&["Auto", "Legacy", "NFT"])),
    always("iptablesFilterAllowAction", ACCEPT),
    since(24, "iptablesFilterDenyAction", DENY),
    until(31, "iptablesLockFilePath", Kind::Text),
    always("iptablesLockProbeInterval", Kind::Duration),
    until(31, "iptablesLockTimeout", Kind::Duration),
    always("iptablesMangleAllowAction", ACCEPT),
    always("iptablesMarkMask", Kind::Number),
    always("iptablesNATOutgoingInterfaceFilter", Kind::Text),
    always("iptablesPostWriteCheckInterval", Kind::Duration),
    always("iptablesRefreshInterval", Kind::Duration),
    always("ipsetsRefreshInterval", Kind::Duration),
    always("kubeNodePortRanges", Kind::Texts),
    always("maxIpsetSize", Kind::Number),
    since(31, "natOutgoingExclusions", Kind::Choice(&["IPPoolsOnly", "IPPoolsAndHostIPs"])),
    always("natOutgoingAddress", Kind::Text),
    always("natPortRange", Kind::NumberOrText),
    since(29, "nftablesFilterAllowAction", ACCEPT),
    since(29, "nftablesFilterDenyAction", DENY),
    since(29, "nftablesMangleAllowAction", ACCEPT),
    since(29, "nftablesMarkMask", Kind::Number),
    since(29, "nftablesMode", Kind::Choice(&["Disabled", "Enabled", "Auto"])),
    since(29, "nftablesRefreshInterval", Kind::Duration),
    always("serviceLoopPrevention", Kind::Choice(&["Drop", "Reject", "Disabled"])),
    always("sidecarAccelerationEnabled", Kind::Switch),
    since(24, "workloadSourceSpoofing", Kind::Choice(&["Disabled", "Any"])),
    always("xdpEnabled", Kind::Switch),
    always("xdpRefreshInterval", Kind::Duration),
    // Interfaces and routes.
    always("allowIPIPPacketsFromWorkloads", Kind::Switch),
    always("allowVXLANPacketsFromWorkloads", Kind::Switch),
    always("awsSrcDstCheck", Kind::Choice(&["DoNothing", "Enable", "Disable"])),
    always("deviceRouteProtocol", Kind::Number),
    always("deviceRouteSourceAddress", Kind::Text),
    always("deviceRouteSourceAddressIPv6", Kind::Text),
    always("externalNodesList", Kind::Texts),
    always("interfaceExclude", Kind::Text),
    always("interfacePrefix", Kind::Text),
    always("interfaceRefreshInterval", Kind::Duration),
    always("ipipEnabled", Kind::Switch),
    always("ipipMTU", Kind::Number),
    since(32, "ipv4ElevatedRoutePriority", Kind::Number),
    since(32, "ipv4NormalRoutePriority", Kind::Number),
    since(32, "ipv6ElevatedRoutePriority", Kind::Number),
    since(32, "ipv6NormalRoutePriority", Kind::Number),
    always("ipv6Support", Kind::Switch),
    since(32, "liveMigrationRouteConvergenceTime", Kind::Duration),
    always("mtuIfacePattern", Kind::Text),
    always("netlinkTimeout", Kind::Duration),
    since(32, "programClusterRoutes", ENABLED),
    always("removeExternalRoutes", Kind::Switch),
    since(32, "requireMTUFile", Kind::Switch),
    always("routeRefreshInterval", Kind::Duration),
    always("routeSource", Kind::Choice(&["WorkloadIPs", "CalicoIPAM"])),
    always("routeSyncDisabled", Kind::Switch),
    always("routeTableRange", Kind::Structure),
    since(23, "routeTableRanges", Kind::Structure),
    always("vxlanEnabled", Kind::Switch),
    always("vxlanMTU", Kind::Number),
    since(23, "vxlanMTUV6", Kind::Number),
    always("vxlanPort", Kind::Number),
    always("vxlanVNI", Kind::Number),
    // WireGuard.
    always("wireguardEnabled", Kind::Switch),
    since(24, "wireguardEnabledV6", Kind::Switch),
    since(22, "wireguardHostEncryptionEnabled", Kind::Switch),
    always("wireguardInterfaceName", Kind::Text),
    since(24, "wireguardInterfaceNameV6", Kind::Text),
    since(24, "wireguardKeepAlive", Kind::Duration),
    always("wireguardListeningPort", Kind::Number),
    since(24, "wireguardListeningPortV6", Kind::Number),
    always("wireguardMTU", Kind::Number),
    since(24, "wireguardMTUV6", Kind::Number),
    always("wireguardRoutingRulePriority", Kind::Number),
    since(30, "wireguardThreadingEnabled", Kind::Switch),
    // What it says, and to whom.
    always("endpointReportingDelay", Kind::Duration),
    always("endpointReportingEnabled", Kind::Switch),
    since(27, "endpointStatusPathPrefix", Kind::Text),
    since(30, "flowLogsCollectorDebugTrace", Kind::Switch),
    since(30, "flowLogsFlushInterval", Kind::Duration),
    since(30, "flowLogsGoldmaneServer", Kind::Text),
    since(30, "flowLogsLocalReporter", ENABLED),
    since(31, "flowLogsPolicyEvaluationMode", Kind::Choice(&["None", "Continuous"])),
    always("healthEnabled", Kind::Switch),
    always("healthHost", Kind::Text),
    always("healthPort", Kind::Number),
    since(24, "healthTimeoutOverrides", Kind::Structure),
    since(32, "logActionRateLimit", Kind::Text),
    since(32, "logActionRateLimitBurst", Kind::Number),
    since(22, "logDebugFilenameRegex", Kind::Text),
    always("logFilePath", Kind::Text),
    always("logPrefix", Kind::Text),
    always("logSeverityFile", SEVERITY),
    always("logSeverityScreen", SEVERITY),
    always("logSeveritySys", SEVERITY),
    always("policySyncPathPrefix", Kind::Text),
    always("prometheusGoMetricsEnabled", Kind::Switch),
    since(32, "prometheusMetricsCAFile", Kind::Text),
    since(32, "prometheusMetricsCertFile", Kind::Text),
    since(32, "prometheusMetricsClientAuth", Kind::Text),
    always("prometheusMetricsEnabled", Kind::Switch),
    always("prometheusMetricsHost", Kind::Text),
    since(32, "prometheusMetricsKeyFile", Kind::Text),
    always("prometheusMetricsPort", Kind::Number),
    always("prometheusProcessMetricsEnabled", Kind::Switch),
    always("prometheusWireGuardMetricsEnabled", Kind::Switch),
    always("reportingInterval", Kind::Duration),
    always("reportingTTL", Kind::Duration),
    always("usageReportingEnabled", Kind::Switch),
    always("usageReportingInitialDelay", Kind::Duration),
    always("usageReportingInterval", Kind::Duration),
    // Felix itself.
    since(32, "cgroupV2Path", Kind::Text),
    always("dataplaneDriver", Kind::Text),
    always("debugDisableLogDropping", Kind::Switch),
    since(30, "debugHost", Kind::Text),
    always("debugMemoryProfilePath", Kind::Text),
    since(30, "debugPort", Kind::Number),
    always("debugSimulateCalcGraphHangAfter", Kind::Duration),
    since(30, "debugSimulateDataplaneApplyDelay", Kind::Duration),
    always("debugSimulateDataplaneHangAfter", Kind::Duration),
    always("featureDetectOverride", Kind::Text),
    since(24, "featureGates", Kind::Text),
    since(30, "goGCThreshold", Kind::Number),
    since(30, "goMaxProcs", Kind::Number),
    since(30, "goMemoryLimitMB", Kind::Number),
    since(32, "istioAmbientMode", ENABLED),
    since(32, "istioDSCPMark", Kind::NumberOrText),
    always("metadataAddr", Kind::Text),
    always("metadataPort", Kind::Number),
    since(32, "nodeSelector", Kind::Text),
    always("openstackRegion", Kind::Text),
    always("useInternalDataplaneDriver", Kind::Switch),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::versions::calico::{FIRST, LAST};

    #[test]
    fn no_field_stands_twice_and_every_one_is_of_our_versions() {
        let mut seen = BTreeSet::new();
        for field in FIELDS {
            assert!(seen.insert(field.name), "{}", field.name);
            let minors = (FIRST..=LAST).filter(|minor| field.is_known(Version::new(3, *minor, 0)));
            assert!(minors.count() > 0, "{}", field.name);
        }
    }
}
