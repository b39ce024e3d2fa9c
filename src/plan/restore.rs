//! The restore of etcd from a snapshot, and its way back, each on one screen.

use super::{Gate, Selector};
use crate::cluster::Role;

/// One step of a restore, on all of its hosts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreStage {
    /// Name in output, logs and checkpoints.
    pub name: &'static str,
    /// Hosts that take part.
    pub hosts: Selector,
    /// What is done.
    pub work: RestoreWork,
    /// What must hold before the next one begins.
    pub gate: Option<Gate>,
}

/// What is done in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreWork {
    /// Send the snapshot.
    Send,
    /// Make data directories of it, beside those in use.
    Unpack,
    /// Stop API servers, controller-managers and schedulers.
    StopControlPlane,
    /// Stop the members, and put the restored data in the place of theirs.
    Swap,
    /// Stop the members, and put back what they had before.
    SwapBack,
    /// Start the members.
    StartEtcd,
    /// Prove that all members have the same data, and a revision that none has served before.
    Compare,
    /// Start what was stopped.
    StartControlPlane,
    /// Restart kubelets: what they remember is of another time.
    RestartKubelets,
    /// Nothing but the gate.
    Prove,
    /// The hosts stand in the middle of nothing any more.
    Finish,
}

/// Everything that can fail without harm comes first: nothing that runs is touched before "stop".
#[rustfmt::skip]
pub fn restore() -> Vec<RestoreStage> {
    let stage = |name, hosts, work, gate| RestoreStage { name, hosts, work, gate };
    let members = Selector::Role(Role::Etcd);
    [
        vec![
            stage("send",   members, RestoreWork::Send,   None),
            stage("unpack", members, RestoreWork::Unpack, None),
        ],
        exchange(RestoreWork::Swap),
    ].concat()
}

/// What is left of a restore that was cut off once hosts had begun to stand still.
pub fn resume() -> Vec<RestoreStage> {
    exchange(RestoreWork::Swap)
}

/// The data of before instead of the restored ones.
pub fn undo() -> Vec<RestoreStage> {
    exchange(RestoreWork::SwapBack)
}

/// Never does an API server see the data of etcd change below it.
#[rustfmt::skip]
fn exchange(swap: RestoreWork) -> Vec<RestoreStage> {
    let stage = |name, hosts, work, gate| RestoreStage { name, hosts, work, gate };
    let (members, masters) = (Selector::Role(Role::Etcd), Selector::Role(Role::ControlPlane));
    vec![
        stage("stop",          masters,             RestoreWork::StopControlPlane,  None),
        stage("swap",          members,             swap,                           None),
        stage("etcd",          members,             RestoreWork::StartEtcd,         Some(Gate::EtcdHealthy)),
        stage("compare",       Selector::Api,       RestoreWork::Compare,           None),
        stage("control-plane", masters,             RestoreWork::StartControlPlane, Some(Gate::ApiServersReady)),
        // As they say themselves: what the API tells of pods is what stood in the snapshot.
        stage("controllers",   Selector::Api,       RestoreWork::Prove,             Some(Gate::ControllersHealthy)),
        stage("kubelets",      Selector::Nodes,     RestoreWork::RestartKubelets,   Some(Gate::KubeletsHealthy)),
        stage("nodes",         Selector::Api,       RestoreWork::Prove,             Some(Gate::NodesReady)),
        stage("finish",        Selector::Everyone,  RestoreWork::Finish,            None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_servers_stand_still_while_data_change_and_start_after_they_are_proven() {
        for (list, swap) in
            [(restore(), RestoreWork::Swap), (resume(), RestoreWork::Swap), (undo(), RestoreWork::SwapBack)]
        {
            let at = |work| list.iter().position(|stage| stage.work == work).unwrap();
            let order = [
                RestoreWork::StopControlPlane,
                swap,
                RestoreWork::StartEtcd,
                RestoreWork::Compare,
                RestoreWork::StartControlPlane,
                RestoreWork::RestartKubelets,
                RestoreWork::Finish,
            ];
            assert!(order.map(at).is_sorted(), "{list:?}");
            assert_eq!(at(RestoreWork::Finish), list.len() - 1);
        }
    }

    #[test]
    fn all_data_are_there_before_anything_stands_still() {
        let works: Vec<_> = restore().iter().map(|stage| stage.work).collect();
        assert_eq!(works[..3], [RestoreWork::Send, RestoreWork::Unpack, RestoreWork::StopControlPlane]);
    }
}
