//! What the parts of Calico may do in the API, by version.

use crate::cluster::Version;

/// The group of Calico's own resources, as the Kubernetes API stores them.
pub const CALICO: &[&str] = &["crd.projectcalico.org"];
/// The group of the API `v3`.
pub const CALICO_V3: &[&str] = &["projectcalico.org"];

/// A rule of a ClusterRole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// API groups.
    pub groups: &'static [&'static str],
    /// Resources, with subresources.
    pub resources: &'static [&'static str],
    /// Names of objects; all of them when empty.
    pub names: &'static [&'static str],
    /// What is allowed.
    pub verbs: &'static [&'static str],
    /// First minor of Calico 3 that wants it.
    since: u32,
    /// Last minor that wants it.
    until: u32,
}

/// The rules of calico-node.
pub fn node(calico: Version) -> impl Iterator<Item = &'static Rule> {
    of(NODE, calico)
}

/// The rules of calico-cni-plugin.
pub fn cni(calico: Version) -> impl Iterator<Item = &'static Rule> {
    of(CNI, calico)
}

/// The rules of calico-kube-controllers.
pub fn controllers(calico: Version) -> impl Iterator<Item = &'static Rule> {
    of(CONTROLLERS, calico)
}

/// The rules of calico-tier-getter.
pub fn tier_getter(calico: Version) -> impl Iterator<Item = &'static Rule> {
    of(TIER_GETTER, calico)
}

fn of(rules: &'static [Rule], calico: Version) -> impl Iterator<Item = &'static Rule> {
    rules.iter().filter(move |rule| (rule.since..=rule.until).contains(&calico.minor))
}

const CORE: &[&str] = &[""];
const POLICY: &[&str] = &["policy.networking.k8s.io"];
const KUBEVIRT: &[&str] = &["kubevirt.io"];
const ANY: u32 = u32::MAX;

const READ: &[&str] = &["get", "list", "watch"];
const WATCH: &[&str] = &["list", "watch"];
const CREATE: &[&str] = &["create", "update"];
const KEEP: &[&str] = &["get", "list", "create", "update", "delete"];
const KEEP_AND_WATCH: &[&str] = &["get", "list", "create", "update", "delete", "watch"];

const fn within(
    since: u32,
    until: u32,
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Rule {
    Rule { groups, resources, names: &[], verbs, since, until }
}

const fn always(
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Rule {
    within(0, ANY, groups, resources, verbs)
}

const fn since(
    minor: u32,
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Rule {
    within(minor, ANY, groups, resources, verbs)
}

/// The token that the CNI plugin gets is renewed by the node.
const fn token(since: u32, until: u32, names: &'static [&'static str]) -> Rule {
    Rule { groups: CORE, resources: &["serviceaccounts/token"], names, verbs: &["create"], since, until }
}

#[rustfmt::skip]
const NODE: &[Rule] = &[
    token(22, 25, &["calico-node"]),
    token(26, ANY, &["calico-cni-plugin"]),
    always(CORE, &["pods", "nodes", "namespaces"], &["get"]),
    always(&["discovery.k8s.io"], &["endpointslices"], WATCH),
    // `get` is for those who look for Typha.
    always(CORE, &["endpoints", "services"], READ),
    always(CORE, &["configmaps"], &["get"]),
    always(CORE, &["nodes/status"], &["patch", "update"]),
    always(&["networking.k8s.io"], &["networkpolicies"], WATCH),
    within(29, 31, POLICY, &["adminnetworkpolicies"], WATCH),
    within(30, 31, POLICY, &["baselineadminnetworkpolicies"], WATCH),
    since(32, POLICY, &["clusternetworkpolicies"], WATCH),
    always(CORE, &["pods", "namespaces", "serviceaccounts"], WATCH),
    always(CORE, &["pods/status"], &["patch"]),
    always(CALICO, &["globalfelixconfigs", "felixconfigurations", "bgppeers", "globalbgpconfigs", "bgpconfigurations",
        "ippools", "ipreservations", "ipamblocks", "globalnetworkpolicies", "globalnetworksets", "networkpolicies",
        "networksets", "clusterinformations", "hostendpoints", "blockaffinities", "caliconodestatuses"], READ),
    since(26, CALICO, &["bgpfilters"], READ),
    since(29, CALICO, &["tiers"], READ),
    since(30, CALICO, &["stagedglobalnetworkpolicies", "stagednetworkpolicies", "stagedkubernetesnetworkpolicies"],
        READ),
    since(29, CALICO, &["tiers"], &["create"]),
    always(CALICO, &["ippools", "felixconfigurations", "clusterinformations"], CREATE),
    always(CALICO, &["caliconodestatuses"], &["update"]),
    always(CORE, &["nodes"], READ),
    always(CALICO, &["bgpconfigurations", "bgppeers"], CREATE),
    always(CALICO, &["blockaffinities", "ipamblocks", "ipamhandles"], KEEP),
    always(CALICO, &["ipamconfigs"], &["get"]),
    since(24, CALICO, &["ipamconfigs"], &["create"]),
    since(32, CALICO, &["ipamconfigurations"], &["get", "create"]),
    since(32, KUBEVIRT, &["virtualmachineinstancemigrations"], READ),
];

#[rustfmt::skip]
const CNI: &[Rule] = &[
    always(CORE, &["pods", "nodes", "namespaces"], &["get"]),
    always(CORE, &["pods/status"], &["patch"]),
    always(CALICO, &["blockaffinities", "ipamblocks", "ipamhandles", "clusterinformations", "ippools", "ipreservations",
        "ipamconfigs"], KEEP),
    since(32, CALICO, &["ipamconfigurations"], KEEP),
    since(32, KUBEVIRT, &["virtualmachineinstances", "virtualmachines"], &["get"]),
];

#[rustfmt::skip]
const CONTROLLERS: &[Rule] = &[
    always(CORE, &["nodes", "pods"], READ),
    since(31, CORE, &["namespaces"], READ),
    since(30, CORE, &["services", "services/status"], &["get", "list", "update", "watch"]),
    always(CALICO, &["ipreservations", "ippools"], &["list"]),
    since(23, CALICO, &["ippools"], &["watch"]),
    always(CALICO, &["blockaffinities", "ipamblocks", "ipamhandles"], KEEP_AND_WATCH),
    since(29, CALICO, &["tiers"], KEEP_AND_WATCH),
    since(30, CALICO, &["ipamconfigs"], KEEP_AND_WATCH),
    since(32, CALICO, &["ipamconfigurations"], KEEP_AND_WATCH),
    always(CALICO, &["hostendpoints"], KEEP),
    since(30, CALICO, &["hostendpoints"], &["watch"]),
    always(CALICO, &["clusterinformations"], &["get", "create", "update"]),
    since(23, CALICO, &["clusterinformations"], WATCH),
    always(CALICO, &["kubecontrollersconfigurations"], &["get", "create", "update", "watch"]),
    since(30, CALICO, &["kubecontrollersconfigurations"], &["list"]),
    since(32, CALICO, &["kubecontrollersconfigurations/status"], &["get", "update"]),
    // Policies get the names that newer versions want.
    since(32, CALICO, &["networkpolicies", "stagednetworkpolicies", "globalnetworkpolicies",
        "stagedglobalnetworkpolicies"], KEEP_AND_WATCH),
    // From here on: the move to the API `v3`, where somebody asks for it.
    since(32, &["apps"], &["daemonsets", "deployments"], READ),
    since(32, &["migration.projectcalico.org"], &["datastoremigrations", "datastoremigrations/status"],
        &["get", "list", "watch", "create", "update", "patch"]),
    since(32, &["apiextensions.k8s.io"], &["customresourcedefinitions"], &["get", "list", "watch", "delete"]),
    since(32, &["apiregistration.k8s.io"], &["apiservices"], &["get", "list", "watch", "create", "delete"]),
    since(32, CALICO_V3, &["*"], &["get", "list", "watch", "create", "update", "patch", "delete"]),
    since(32, CALICO, &["*"], READ),
    since(32, KUBEVIRT, &["virtualmachines", "virtualmachineinstances"], READ),
];

#[rustfmt::skip]
const TIER_GETTER: &[Rule] = &[
    since(30, CALICO_V3, &["tiers"], &["get"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::versions::calico::{FIRST, LAST, has_own_cni_account};

    fn calico(minor: u32) -> Version {
        Version::new(3, minor, 0)
    }

    /// The verbs that some rules give for a resource.
    fn verbs(rules: impl Iterator<Item = &'static Rule>, resource: &str) -> BTreeSet<&'static str> {
        rules.filter(|rule| rule.resources.contains(&resource)).flat_map(|rule| rule.verbs.iter().copied()).collect()
    }

    #[test]
    fn rules_come_and_go_with_what_they_are_for() {
        let minors = |resource: &str, rules: fn(Version) -> Vec<&'static Rule>| -> Vec<u32> {
            (FIRST..=LAST).filter(|minor| !verbs(rules(calico(*minor)).into_iter(), resource).is_empty()).collect()
        };
        let of_node: fn(Version) -> Vec<&'static Rule> = |calico| node(calico).collect();
        let of_controllers: fn(Version) -> Vec<&'static Rule> = |calico| controllers(calico).collect();
        for (resource, rules, first, last) in [
            ("serviceaccounts/token", of_node, 22, LAST),
            ("bgpfilters", of_node, 26, LAST),
            ("tiers", of_node, 29, LAST),
            ("adminnetworkpolicies", of_node, 29, 31),
            ("baselineadminnetworkpolicies", of_node, 30, 31),
            ("clusternetworkpolicies", of_node, 32, LAST),
            ("stagednetworkpolicies", of_node, 30, LAST),
            ("ipamconfigurations", of_node, 32, LAST),
            ("services/status", of_controllers, 30, LAST),
            ("namespaces", of_controllers, 31, LAST),
            ("tiers", of_controllers, 29, LAST),
            ("datastoremigrations", of_controllers, 32, LAST),
        ] {
            assert_eq!(minors(resource, rules), (first..=last).collect::<Vec<_>>(), "{resource}");
        }
    }

    #[test]
    fn the_token_is_that_of_the_account_that_the_plugin_has() {
        for minor in 22..=LAST {
            let names: Vec<_> = node(calico(minor)).flat_map(|rule| rule.names.iter().copied()).collect();
            let own = has_own_cni_account(calico(minor));
            assert_eq!(names, [if own { "calico-cni-plugin" } else { "calico-node" }], "3.{minor}");
        }
    }

    #[test]
    fn verbs_grow_with_the_versions() {
        let ipam = |minor| verbs(node(calico(minor)), "ipamconfigs");
        assert_eq!(ipam(23), ["get"].into());
        assert_eq!(ipam(24), ["get", "create"].into());
        let pools = |minor| verbs(controllers(calico(minor)), "ippools");
        assert_eq!((pools(22), pools(23)), (["list"].into(), ["list", "watch"].into()));
        assert!(cni(calico(26)).all(|rule| !rule.resources.contains(&"ipamconfigurations")));
        assert_eq!((tier_getter(calico(29)).count(), tier_getter(calico(30)).count()), (0, 1));
    }

    #[test]
    fn nobody_reads_secrets() {
        for minor in FIRST..=LAST {
            let calico = calico(minor);
            let all = node(calico).chain(cni(calico)).chain(controllers(calico)).chain(tier_getter(calico));
            for rule in all {
                assert!(!rule.resources.contains(&"secrets"), "{rule:?}");
                assert!(!(rule.groups == CORE && rule.resources.contains(&"*")), "{rule:?}");
            }
        }
    }
}
