//! Waits that name their condition, prove the new state and have a deadline.

use std::collections::{BTreeMap, BTreeSet};

use super::crash::Crashes;
use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::Member;
use super::wait::Wait;
use crate::cluster::{Endpoint, Host, Role};
use crate::host::protocol::{EtcdMember, Failure, Probe, Probed};
use crate::plan::Gate;

/// Waits until `gate` holds, and on the hosts of `wave` holds for what was just written there. Hosts whose turn comes
/// `later` prove themselves then: what they lack now may be what they are about to get.
pub(super) async fn wait(
    run: &Execution<'_>,
    stage: &str,
    gate: Gate,
    wave: &[&Host],
    later: &[&Host],
) -> Result<(), Vec<HostFailure>> {
    let wait = Wait {
        stage,
        what: gate.title(),
        limit: gate.deadline(),
        hint: hint(gate),
        fleet: run.fleet,
        events: run.events,
    };
    let mut crashes = Crashes::of("kubelet.service");
    wait.until(async || {
        let missing = observe(run, gate, later).await;
        if missing.is_empty() && gate == Gate::ApiServersReady {
            return Ok(old_api_servers(run, wave).await);
        }
        if !missing.is_empty() && gate == Gate::KubeletsHealthy {
            let crashing = crashes.look(run.fleet, |host| host.roles.is_node()).await;
            if !crashing.is_empty() {
                return Err(crashing);
            }
        }
        Ok(missing)
    })
    .await
}

/// API servers of `wave` that have not been replaced yet: an old one is ready, too.
async fn old_api_servers(run: &Execution<'_>, wave: &[&Host]) -> Vec<String> {
    let names = wave.iter().map(|host| format!("kube-apiserver-{}", host.name));
    let old: BTreeMap<String, String> = names
        .filter_map(|name| run.replaced.get_key_value(&name))
        .map(|(name, hash)| (name.clone(), hash.clone()))
        .collect();
    if old.is_empty() { Vec::new() } else { run.api.still_running(&old).await }
}

/// What `gate` still lacks, on all hosts but some; nothing when it holds.
pub(super) async fn observe(run: &Execution<'_>, gate: Gate, but: &[&Host]) -> Vec<String> {
    let counts = |host: &Host| but.iter().all(|one| one.name != host.name);
    match gate {
        Gate::EtcdHealthy => etcd(run, counts).await,
        Gate::ApiServersReady => {
            let url = |member: &Member| {
                let address = std::net::SocketAddr::new(member.host.address, Endpoint::APISERVER_PORT);
                Probe::Https { url: format!("https://{address}/readyz") }
            };
            answering(run, "apiserver", |host| host.roles.contains(Role::ControlPlane) && counts(host), url).await
        }
        Gate::KubeletsHealthy => {
            let url = |_: &Member| Probe::Http { url: "http://127.0.0.1:10248/healthz".into() };
            answering(run, "kubelet", |host| host.roles.is_node() && counts(host), url).await
        }
        Gate::ControlPlaneRunning => {
            let masters = run.cluster.with_role(Role::ControlPlane).filter(|host| counts(host));
            run.api.control_plane_missing(masters, run.version(), &run.replaced).await
        }
        Gate::NodesReady => run.api.nodes_missing().await,
        Gate::WorkloadsAvailable => run.api.workloads_missing(&run.survey.objects).await,
    }
}

fn hint(gate: Gate) -> &'static str {
    match gate {
        Gate::EtcdHealthy => "on the etcd hosts: journalctl -u etcd; then run the same command again",
        Gate::ApiServersReady | Gate::ControlPlaneRunning => {
            "on the masters: journalctl -u kubelet, and the logs under /var/log/pods; then run the same command again"
        }
        Gate::KubeletsHealthy | Gate::NodesReady => {
            "on the nodes named: journalctl -u kubelet -u containerd; then run the same command again"
        }
        Gate::WorkloadsAvailable => "kubectl -n kube-system get pods -o wide, and kubectl describe of those not ready",
    }
}

async fn answering(
    run: &Execution<'_>,
    what: &str,
    select: impl Fn(&Host) -> bool,
    probe: impl Fn(&Member) -> Probe,
) -> Vec<String> {
    let outcomes = run
        .fleet
        .each(select, async |member| match member.probe(probe(member)).await? {
            Probed::Http { status: 200, .. } => Ok(None),
            Probed::Http { status, body } => Ok(Some(format!("{what} answers {status}: {}", last_failure(&body)))),
            Probed::Unreachable { why } => Ok(Some(format!("{what} does not answer: {why}"))),
            _ => Ok(Some(format!("{what}: no answer to this probe"))),
        })
        .await;
    let missing = outcomes.ok.into_iter().filter_map(|(host, line)| Some(format!("{host}: {}", line?)));
    missing.chain(outcomes.failed.iter().map(ToString::to_string)).collect()
}

/// `/readyz` lists its checks when it fails; the ones marked `[-]` are why.
fn last_failure(body: &str) -> String {
    let failed: Vec<_> = body.lines().filter(|line| line.starts_with("[-]")).collect();
    if failed.is_empty() { body.lines().next().unwrap_or_default().to_owned() } else { failed.join(", ") }
}

async fn etcd(run: &Execution<'_>, counts: impl Fn(&Host) -> bool) -> Vec<String> {
    let outcomes = run
        .fleet
        .each(
            |host| host.roles.contains(Role::Etcd) && counts(host),
            async |member| {
                let address = std::net::SocketAddr::new(member.host.address, 2379);
                match member.probe(Probe::Etcd { endpoint: format!("https://{address}") }).await? {
                    Probed::Etcd(view) => Ok(view),
                    Probed::Unreachable { why } => Err(Failure { what: "etcd".into(), why, hint: None }),
                    Probed::Http { status, .. } => {
                        Err(Failure { what: "etcd".into(), why: format!("answers {status}"), hint: None })
                    }
                    _ => Err(Failure { what: "etcd".into(), why: "no answer".into(), hint: None }),
                }
            },
        )
        .await;
    let views: Vec<(String, EtcdMember)> =
        outcomes.ok.into_iter().map(|(host, view)| (host.to_string(), view)).collect();
    let mut missing: Vec<String> = outcomes.failed.iter().map(ToString::to_string).collect();
    missing.extend(disagreements(&views, run.cluster.with_role(Role::Etcd).count()));
    missing
}

/// What keeps `views` from being one healthy cluster of `size` members.
pub(super) fn disagreements(views: &[(String, EtcdMember)], size: usize) -> Vec<String> {
    let mut missing = Vec::new();
    for (host, view) in views {
        missing.extend(view.errors.iter().map(|error| format!("{host}: etcd reports {error}")));
        if view.leader.is_none() {
            missing.push(format!("{host}: etcd has no leader"));
        }
        let voters = view.members.values().filter(|voter| **voter).count();
        if voters != size {
            missing.push(format!("{host}: etcd knows {voters} started voters, {size} are wanted"));
        }
    }
    let leaders: BTreeSet<_> = views.iter().filter_map(|(_, view)| view.leader.as_ref()).collect();
    if leaders.len() > 1 {
        missing.push(format!("etcd members name {} different leaders", leaders.len()));
    }
    let terms: BTreeSet<_> = views.iter().map(|(_, view)| view.raft_term).collect();
    if terms.len() > 1 {
        missing.push(format!("etcd members are at different raft terms: {terms:?}"));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(leader: Option<&str>, term: u64, voters: usize) -> EtcdMember {
        EtcdMember {
            member: "a".into(),
            leader: leader.map(str::to_owned),
            raft_term: term,
            raft_index: 9,
            version: "3.5.16".into(),
            db_size: 1,
            members: (0..3).map(|n| (format!("m{n}"), n < voters)).collect(),
            errors: Vec::new(),
        }
    }

    #[test]
    fn one_leader_one_term_and_all_voters_are_wanted() {
        let well = vec![("m1".to_owned(), view(Some("a"), 2, 3)), ("m2".to_owned(), view(Some("a"), 2, 3))];
        assert!(disagreements(&well, 3).is_empty());
        for (bad, why) in [
            (view(None, 2, 3), "no leader"),
            (view(Some("b"), 2, 3), "different leaders"),
            (view(Some("a"), 3, 3), "different raft terms"),
            (view(Some("a"), 2, 2), "2 started voters"),
        ] {
            let mut views = well.clone();
            views[1].1 = bad;
            let found = disagreements(&views, 3).join("; ");
            assert!(found.contains(why), "{found}");
        }
    }

    #[test]
    fn failed_checks_of_readyz_are_named() {
        assert_eq!(last_failure("[+]ping ok\n[-]etcd failed: reason withheld\n"), "[-]etcd failed: reason withheld");
        assert_eq!(last_failure("Unauthorized"), "Unauthorized");
    }
}
