//! Feature gates that are gone: a component that is given one refuses to start. The list holds those that old
//! configurations carry; kubewright itself writes none.

use crate::cluster::KubeVersion;

/// Gate and the first minor without it.
#[rustfmt::skip]
const REMOVED: &[(&str, u32)] = &[
    ("CRIContainerLogRotation", 22),
    ("RootCAConfigMap", 22),
    ("BoundServiceAccountTokenVolume", 23),
    ("StartupProbe", 23),
    ("SupportPodPidsLimit", 23),
    ("CSRDuration", 24),
    ("ImmutableEphemeralVolumes", 24),
    ("IPv6DualStack", 25),
    ("EndpointSliceProxying", 25),
    ("TTLAfterFinished", 25),
    ("DynamicKubeletConfig", 26),
    ("EphemeralContainers", 27),
    ("LocalStorageCapacityIsolation", 27),
    ("ExpandCSIVolumes", 27),
    ("PodSecurity", 28),
    ("CSIStorageCapacity", 28),
    ("SeccompDefault", 29),
    ("CronJobTimeZone", 29),
    ("LegacyServiceAccountTokenTracking", 30),
    ("APIPriorityAndFairness", 31),
    ("CSINodeExpandSecret", 31),
    ("KMSv2", 32),
    ("ServerSideApply", 32),
    ("ValidatingAdmissionPolicy", 32),
    ("AppArmor", 33),
    ("PDBUnhealthyPodEvictionPolicy", 33),
    ("DevicePluginCDIDevices", 34),
    ("HonorPVReclaimPolicy", 36),
    ("ConsistentListFromCache", 37),
    ("APIServerTracing", 37),
    ("RetryGenerateName", 37),
    ("PreventStaticPodAPIReferences", 37),
];

/// The first minor without `gate`, when `version` is that or a later one.
pub fn removed(gate: &str, version: KubeVersion) -> Option<u32> {
    REMOVED.iter().find(|(name, minor)| *name == gate && version.minor >= *minor).map(|(_, minor)| *minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_end_where_the_release_notes_say_so() {
        assert_eq!(removed("PodSecurity", KubeVersion::new(1, 27, 9)), None);
        assert_eq!(removed("PodSecurity", KubeVersion::new(1, 28, 0)), Some(28));
        assert_eq!(removed("KubeProxyIPVS", KubeVersion::new(1, 37, 0)), None);
    }
}
