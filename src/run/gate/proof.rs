//! What the hosts just changed have to prove beyond what a gate asks of all: that it is the new state that is well.

use super::super::execution::Execution;
use super::super::fleet::Member;
use super::super::{etcd, set_to_run};
use super::canaries::Canaries;
use crate::cluster::{Host, Role};
use crate::host::protocol::{Probe, Probed};
use crate::kube::Watch;
use crate::plan::Gate;

/// What one wait remembers between its looks.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) watch: Watch,
    canaries: Canaries,
}

/// What the hosts of `wave` still have to prove.
pub(super) async fn missing(run: &Execution<'_>, gate: Gate, wave: &[&Host], memory: &Memory) -> Vec<String> {
    match gate {
        Gate::ApiServersReady => old_api_servers(run, wave).await,
        Gate::EtcdHealthy => {
            let missing = other_versions(run, wave).await;
            if missing.is_empty() && !wave.is_empty() { etcd::differing(run.fleet).await } else { missing }
        }
        Gate::NodesUpgraded => {
            let in_wave = |host: &Host| wave.iter().any(|one| one.name == host.name);
            let mut missing = super::kubelets(run, in_wave).await;
            // A new kubelet may start the static pods anew; the next master must not begin before.
            let others: Vec<&Host> = run.cluster.hosts.iter().filter(|host| !in_wave(host)).collect();
            missing.extend(super::observe(run, Gate::ApiServersReady, &others).await);
            if missing.is_empty() {
                for host in wave {
                    let version = set_to_run::version(run, host, "kubelet");
                    missing.extend(run.api.node_missing(&host.name, version, &memory.watch).await);
                }
            }
            if missing.is_empty() {
                missing = memory.canaries.missing(run, wave).await;
            }
            missing
        }
        // A pod that runs does no work yet: one controller-manager and one scheduler lead, and do so now.
        Gate::ControlPlaneRunning if !wave.is_empty() => run.api.leaders_missing(&memory.watch).await,
        _ => Vec::new(),
    }
}

/// What keeps `host` from serving with what was put back on it.
pub(super) async fn restored(
    run: &Execution<'_>,
    gate: Gate,
    host: &Host,
    others: &[&Host],
    watch: &Watch,
) -> Vec<String> {
    match gate {
        Gate::NodesUpgraded | Gate::KubeletsHealthy => {
            let mut missing = super::kubelets(run, |one| one.name == host.name).await;
            if missing.is_empty() {
                missing.extend(run.api.node_missing(&host.name, None, watch).await);
            }
            missing
        }
        Gate::ControlPlaneRunning => run.api.static_pods_missing(&host.name, watch).await,
        Gate::EtcdHealthy => super::observe(run, gate, &[]).await,
        _ => super::observe(run, gate, others).await,
    }
}

/// API servers of `wave` that have not been replaced yet: an old one is ready, too.
async fn old_api_servers(run: &Execution<'_>, wave: &[&Host]) -> Vec<String> {
    let program = "kube-apiserver";
    let old = |host: &Host| run.replaced.get(&format!("{program}-{}", host.name));
    let changed = |host: &Host| wave.iter().any(|one| one.name == host.name) && old(host).is_some();
    let look = async |member: &Member| {
        let probed = member.probe(Probe::Pods { program: program.to_owned() }).await?;
        Ok(matches!(probed, Probed::Pods { uids } if old(&member.host).is_some_and(|old| uids.contains(old))))
    };
    let outcomes = run.fleet.each(changed, look).await;
    let still = outcomes
        .ok
        .into_iter()
        .filter_map(|(host, old)| old.then(|| format!("{host}: {program} is still the old one")));
    still.chain(outcomes.failed.iter().map(ToString::to_string)).collect()
}

/// Members of `wave` that do not run the version that they are set to run.
async fn other_versions(run: &Execution<'_>, wave: &[&Host]) -> Vec<String> {
    let in_wave = |host: &Host| host.roles.contains(Role::Etcd) && wave.iter().any(|one| one.name == host.name);
    let views = etcd::views(run.fleet, in_wave).await.ok;
    let other = |host: &&Host| {
        let wanted = set_to_run::version(run, host, "etcd")?;
        let found = &views.get(&host.name)?.version;
        (wanted != *found).then(|| format!("{}: etcd is {found}, not {wanted}", host.name))
    };
    wave.iter().filter_map(other).collect()
}
