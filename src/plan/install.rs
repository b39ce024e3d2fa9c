//! The install, on one screen.

use super::{Gate, OnFailure, Pace, Selector, Stage, Work};
use crate::cluster::Role;
use crate::desired::state::Part;

/// Bare hosts to a cluster, and a cluster to what the inventory says now.
#[rustfmt::skip]
pub fn install() -> Vec<Stage> {
    use Part::{
        Binaries, ControlPlane, Controllers, Disks, Endpoint, Etcd, Images, Kernel, Kubelet, Network, Pki, Proxy, Retained, Runtime,
        Snapshots, Tuning,
    };
    use Selector::{Api, Everyone, Nodes, PureWorkers};
    let (members, masters) = (Selector::Role(Role::Etcd), Selector::Role(Role::ControlPlane));
    let on_failure = OnFailure::Stop;
    let stage = |name, after, hosts, work, pace, gate| Stage { name, after, hosts, work, pace, gate, on_failure };
    let together = Pace::Together;
    vec![
        stage("distribute",    &[],                     Everyone,    Work::Distribute,                         together, None),
        stage("prepare",       &["distribute"],         Everyone,    Work::Converge(&[Kernel, Disks, Binaries, Tuning, Pki]), together, None),
        stage("members",       &["prepare"],            Api,         Work::Membership,                         together, None),
        stage("etcd",          &["members"],            members,     Work::Converge(&[Etcd]),                  Pace::Careful("etcd.service"), Some(Gate::EtcdHealthy)),
        stage("snapshots",     &["etcd"],               members,     Work::Converge(&[Snapshots]),             together, None),
        stage("runtime",       &["prepare"],            Nodes,       Work::Converge(&[Runtime, Images]),       together, None),
        stage("control-plane", &["etcd", "runtime"],    masters,     Work::Converge(&[Endpoint, ControlPlane, Network, Kubelet]), Pace::Careful("kubelet.service"), Some(Gate::ApiServersReady)),
        stage("controllers",   &["control-plane"],      masters,     Work::Converge(&[Controllers]),           Pace::Careful("kubelet.service"), Some(Gate::ControlPlaneRunning)),
        stage("workers",       &["runtime"],            PureWorkers, Work::Converge(&[Endpoint, Network, Kubelet]), together, Some(Gate::KubeletsHealthy)),
        stage("proxy",         &["control-plane"],      Nodes,       Work::Roll(&[Proxy]),                      Pace::Gently, None),
        stage("objects",       &["proxy"],              Api,         Work::Objects,                            together, None),
        stage("nodes",         &["objects", "workers"], Api,         Work::Nodes,                              together, Some(Gate::NodesReady)),
        stage("peering",       &["nodes"],              Api,         Work::Peering,                             together, None),
        stage("add-ons",       &["peering"],            Api,         Work::Addons,                             together, Some(Gate::WorkloadsAvailable)),
        stage("network",       &["controllers", "add-ons", "snapshots"], Api, Work::Network,                   together, None),
        stage("prune",         &["network"],            Everyone, Work::Converge(&[Retained]),              together, None),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_stage_comes_after_what_it_needs() {
        let mut seen = HashSet::new();
        for stage in install() {
            for needed in stage.after {
                assert!(seen.contains(needed), "{} comes before {needed}", stage.name);
            }
            assert!(seen.insert(stage.name), "{} stands twice", stage.name);
        }
    }

    #[test]
    fn a_living_cluster_changes_one_member_at_a_time() {
        let disruptive = [Part::Etcd, Part::ControlPlane, Part::Controllers];
        for stage in install() {
            let Work::Converge(parts) = stage.work else { continue };
            if parts.iter().any(|part| disruptive.contains(part)) {
                assert!(matches!(stage.pace, Pace::Careful(_)), "{}", stage.name);
                assert!(stage.gate.is_some(), "{} has no proof", stage.name);
            }
        }
    }

    #[test]
    fn every_part_is_brought_about_for_every_host_that_has_it() {
        let parts: HashSet<Part> = install().iter().flat_map(|stage| stage.work.parts()).copied().collect();
        assert_eq!(parts.len(), 16);
    }
}
