//! The upgrade, and the way back, each on one screen.

use super::{Gate, OnFailure, Pace, Selector, Stage, Work};
use crate::cluster::Role;
use crate::desired::state::Part;

/// What is remembered of a host before anything is changed, so that it can be put back.
#[rustfmt::skip]
pub const KEPT: &[Part] = {
    use Part::{Binaries, ControlPlane, Controllers, Endpoint, Etcd, Kubelet, Network, Pki, Proxy, Runtime};
    &[Binaries, Pki, Etcd, Runtime, Endpoint, ControlPlane, Network, Kubelet, Controllers, Proxy]
};

/// From one cluster image to the next. Nothing that runs is touched before "etcd": until then every host only gets what
/// it will need.
#[rustfmt::skip]
pub fn upgrade() -> Vec<Stage> {
    use OnFailure::{PutBack, Stop};
    use Part::{
        Binaries, ControlPlane, Controllers, Disks, Endpoint, Etcd, Images, Kernel, Kubelet, Network, Pki, Proxy, Retained,
        Runtime, Snapshots, Tuning,
    };
    use Selector::{Api, Everyone, PureWorkers};
    let (members, masters) = (Selector::Role(Role::Etcd), Selector::Role(Role::ControlPlane));
    let stage = |name, after, hosts, work, pace, gate, on_failure| Stage { name, after, hosts, work, pace, gate, on_failure };
    let together = Pace::Together;
    // Hundreds of megabytes written at once slow etcd down beside it; so, never on two members of one quorum.
    let quietly = Pace::Careful("etcd.service");
    vec![
        stage("keep",          &[],                Everyone,    Work::Keep(KEPT),                            together, None, Stop),
        stage("backup",        &["keep"],          Everyone,    Work::Backup,                                together, None, Stop),
        stage("distribute",    &["backup"],        Everyone,    Work::Distribute,                            quietly, None, Stop),
        stage("prepare",       &["distribute"],    Everyone,    Work::Converge(&[Kernel, Disks, Binaries, Tuning, Images]), quietly, None, Stop),
        stage("etcd",          &["prepare"],       members,     Work::Converge(&[Pki, Etcd]),                Pace::Careful("etcd.service"),    Some(Gate::EtcdHealthy),         PutBack),
        stage("control-plane", &["etcd"],          masters,     Work::Converge(&[Pki, ControlPlane]),        Pace::Careful("kubelet.service"), Some(Gate::ApiServersReady),     PutBack),
        stage("controllers",   &["control-plane"], masters,     Work::Converge(&[Controllers]),              Pace::Careful("kubelet.service"), Some(Gate::ControlPlaneRunning), PutBack),
        stage("access",        &["controllers"],   Api,         Work::Access,                                together, None, Stop),
        stage("masters",       &["access"],        masters,     Work::Roll(&[Runtime, Endpoint, Network, Kubelet, Proxy]),      Pace::Careful("kubelet.service"), Some(Gate::NodesUpgraded), PutBack),
        stage("workers",       &["masters"],       PureWorkers, Work::Roll(&[Pki, Runtime, Endpoint, Network, Kubelet, Proxy]), Pace::Waves,                      Some(Gate::NodesUpgraded), PutBack),
        stage("objects",       &["workers"],       Api,         Work::Objects,                               together, None, Stop),
        stage("nodes",         &["objects"],       Api,         Work::Nodes,                                 together, Some(Gate::NodesReady),          Stop),
        stage("peering",       &["nodes"],         Api,         Work::Peering,                               together, None, Stop),
        stage("add-ons",       &["peering"],       Api,         Work::Addons,                                together, Some(Gate::WorkloadsAvailable),  Stop),
        stage("network",       &["add-ons"],       Api,         Work::Network,                               together, None, Stop),
        stage("prune",         &["network"],       Everyone,    Work::Converge(&[Snapshots, Retained]),      together, None, Stop),
    ]
}

/// A half-upgraded cluster to what was kept of it: the same steps the other way round.
#[rustfmt::skip]
pub fn rollback() -> Vec<Stage> {
    use Part::{Binaries, ControlPlane, Controllers, Endpoint, Etcd, Kubelet, Network, Pki, Proxy, Runtime};
    use Selector::{Api, Everyone, PureWorkers};
    let (members, masters) = (Selector::Role(Role::Etcd), Selector::Role(Role::ControlPlane));
    let on_failure = OnFailure::Stop;
    let stage = |name, after, hosts, work, pace, gate| Stage { name, after, hosts, work, pace, gate, on_failure };
    let together = Pace::Together;
    vec![
        stage("workers",       &[],                PureWorkers, Work::Roll(&[Pki, Runtime, Endpoint, Network, Kubelet, Proxy]), Pace::Waves,                      Some(Gate::NodesUpgraded)),
        stage("masters",       &["workers"],       masters,     Work::Roll(&[Runtime, Endpoint, Network, Kubelet, Proxy]),      Pace::Careful("kubelet.service"), Some(Gate::NodesUpgraded)),
        stage("controllers",   &["masters"],       masters,     Work::Converge(&[Controllers]),              Pace::Careful("kubelet.service"), Some(Gate::ControlPlaneRunning)),
        stage("control-plane", &["controllers"],   masters,     Work::Converge(&[Pki, ControlPlane]),        Pace::Careful("kubelet.service"), Some(Gate::ApiServersReady)),
        stage("etcd",          &["control-plane"], members,     Work::Converge(&[Pki, Etcd]),                Pace::Careful("etcd.service"),    Some(Gate::EtcdHealthy)),
        stage("programs",      &["etcd"],          Everyone,    Work::Converge(&[Binaries]),                 together, None),
        // By now an API server answers, whatever had become of them.
        stage("objects",       &["programs"],      Api,         Work::PutObjectsBack,                        together, None),
        stage("nodes",         &["objects"],       Api,         Work::Prove,                                 together, Some(Gate::NodesReady)),
        stage("add-ons",       &["nodes"],         Api,         Work::Prove,                                 together, Some(Gate::WorkloadsAvailable)),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_stage_comes_after_what_it_needs() {
        for list in [upgrade(), rollback()] {
            let mut seen = HashSet::new();
            for stage in list {
                for needed in stage.after {
                    assert!(seen.contains(needed), "{} comes before {needed}", stage.name);
                }
                assert!(seen.insert(stage.name), "{} stands twice", stage.name);
            }
        }
    }

    #[test]
    fn what_runs_is_changed_after_all_is_in_place_with_a_proof_and_a_way_back() {
        let disruptive = [Part::Etcd, Part::Runtime, Part::ControlPlane, Part::Controllers, Part::Kubelet];
        let mut in_place = false;
        for stage in upgrade() {
            if stage.work.parts().iter().any(|part| disruptive.contains(part)) {
                assert!(in_place, "{} comes before every host has what it needs", stage.name);
                assert!(stage.gate.is_some(), "{} has no proof", stage.name);
                assert_eq!(stage.on_failure, OnFailure::PutBack, "{}", stage.name);
                assert_ne!(stage.pace, Pace::Together, "{}", stage.name);
            }
            in_place |= stage.name == "prepare";
        }
    }

    #[test]
    fn every_part_is_brought_about_and_what_is_put_back_was_kept() {
        let all: HashSet<Part> = upgrade().iter().flat_map(|stage| stage.work.parts()).copied().collect();
        assert_eq!(all.len(), 16);
        let backwards: HashSet<Part> = rollback().iter().flat_map(|stage| stage.work.parts()).copied().collect();
        assert_eq!(backwards, KEPT.iter().copied().collect());
        for stage in upgrade().iter().filter(|stage| stage.on_failure == OnFailure::PutBack) {
            assert!(stage.work.parts().iter().all(|part| KEPT.contains(part)), "{}", stage.name);
        }
    }

    #[test]
    fn skew_is_right_at_every_moment() {
        let position = |list: &[Stage], name: &str| list.iter().position(|stage| stage.name == name).unwrap();
        let order = ["etcd", "control-plane", "controllers", "masters", "workers"];
        let (forth, back) = (upgrade(), rollback());
        for pair in order.windows(2) {
            assert!(position(&forth, pair[0]) < position(&forth, pair[1]), "{pair:?}");
            assert!(position(&back, pair[0]) > position(&back, pair[1]), "{pair:?}");
        }
    }
}
