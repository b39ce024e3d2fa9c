//! Labels and taints of nodes. All but the taints at registration are set through the API, with administrator's
//! rights: a kubelet may not give itself the labels that say what it is.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Context;
use crate::cluster::{Host, HostName, KubeVersion, LabelKey, LabelValue, Role, Taint, TaintEffect};
use crate::versions::nodes as table;

const ZONE: &str = "topology.kubernetes.io/zone";
pub(super) const IDC: &str = "topology.kubewright.dev/idc";
pub(super) const RACK: &str = "topology.kubewright.dev/rack";

/// What the API should know about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMarks {
    /// Name of the node.
    pub name: HostName,
    /// Labels that kubewright owns.
    pub labels: BTreeMap<String, String>,
    /// Taints that kubewright owns.
    pub taints: Vec<Taint>,
    /// Pod subnet, where kubewright's own network plugin chose one.
    pub pod_cidr: Option<IpNet>,
}

/// The marks of every node, in the order of the inventory.
pub fn nodes(context: &Context<'_>) -> Vec<NodeMarks> {
    let nodes = context.cluster.hosts.iter().filter(|host| host.roles.is_node());
    nodes
        .map(|host| NodeMarks {
            name: host.name.clone(),
            labels: labels(context.version(), host),
            taints: registration_taints(context.version(), host),
            pod_cidr: context.pod_cidrs.get(&host.name).copied(),
        })
        .collect()
}

fn labels(version: KubeVersion, host: &Host) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut set = |key: &str, value: &str| drop(labels.insert(key.to_owned(), value.to_owned()));
    if host.roles.contains(Role::ControlPlane) {
        table::control_plane_labels(version).iter().for_each(|key| set(key, ""));
    }
    if host.roles.contains(Role::Worker) {
        set(table::WORKER, "");
    }
    if let Some(idc) = &host.idc {
        set(ZONE, idc);
        set(IDC, idc);
    }
    if let Some(rack) = &host.rack {
        set(RACK, rack);
    }
    // Last: the inventory may name a region, and a zone where no IDC does.
    host.labels.iter().for_each(|(key, value)| set(key.as_str(), value.as_str()));
    labels
}

/// Taints of a node, there from its registration, so that no pod slips in before the API is told.
pub(super) fn registration_taints(version: KubeVersion, host: &Host) -> Vec<Taint> {
    let mut taints = host.taints.clone();
    if host.roles.contains(Role::ControlPlane) && !host.roles.contains(Role::Worker) {
        for key in table::control_plane_taints(version).iter().filter_map(|key| LabelKey::parse(key).ok()) {
            let known = |taint: &Taint| taint.key == key && taint.effect == TaintEffect::NoSchedule;
            if !taints.iter().any(known) {
                taints.push(Taint { key, value: LabelValue::default(), effect: TaintEffect::NoSchedule });
            }
        }
    }
    taints.sort_unstable();
    taints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::{self, Fixture};

    fn marks(fixture: &Fixture, name: &str) -> NodeMarks {
        nodes(&fixture.context()).into_iter().find(|marks| marks.name.as_str() == name).unwrap()
    }

    #[test]
    fn roles_and_places_become_labels() {
        let fixture = Fixture::new(20);
        let expected = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(
            marks(&fixture, "m1").labels,
            expected(&[
                ("node-role.kubernetes.io/control-plane", ""),
                ("node-role.kubernetes.io/master", ""),
                ("topology.kubernetes.io/region", "bj"),
                ("topology.kubernetes.io/zone", "bj1"),
                ("topology.kubewright.dev/idc", "bj1"),
                ("topology.kubewright.dev/rack", "r1"),
            ])
        );
        assert_eq!(marks(&fixture, "n1").labels["node-role.kubernetes.io/worker"], "");
        assert_eq!(marks(&fixture, "n1").pod_cidr, Some("10.244.3.0/24".parse().unwrap()));
    }

    #[test]
    fn without_an_idc_the_inventory_may_name_the_zone() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| {
            parts.hosts[0].idc = None;
            parts.hosts[0].labels.insert(LabelKey::parse(ZONE).unwrap(), LabelValue::parse("hall-2").unwrap());
        });
        assert_eq!(marks(&fixture, "m1").labels[ZONE], "hall-2");
        assert!(!marks(&fixture, "m1").labels.contains_key(IDC));
    }

    #[test]
    fn only_a_master_without_workloads_is_tainted() {
        let keys = |minor, roles: &[Role]| -> Vec<String> {
            let mut host = fixture::worker("a", 0);
            host.roles = roles.iter().copied().collect();
            let taints = registration_taints(KubeVersion::new(1, minor, 0), &host);
            taints.iter().map(|taint| taint.key.to_string()).collect()
        };
        assert_eq!(keys(24, &[Role::ControlPlane]), [table::CONTROL_PLANE, table::MASTER]);
        assert_eq!(keys(25, &[Role::ControlPlane]), [table::CONTROL_PLANE]);
        assert!(keys(25, &[Role::ControlPlane, Role::Worker]).is_empty());
        assert!(keys(25, &[Role::Worker]).is_empty());
    }

    #[test]
    fn a_host_that_is_no_node_has_no_marks() {
        let fixture = Fixture::with_etcd_host(36);
        assert!(nodes(&fixture.context()).iter().all(|marks| marks.name.as_str() != "e1"));
    }
}
