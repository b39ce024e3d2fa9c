//! Waits that name their condition, prove the new state and have a deadline.

mod canaries;
mod crash;
mod hopeless;
mod proof;
mod static_pods;

use std::net::SocketAddr;

use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::Member;
use super::wait::Wait;
use super::{etcd, order};
use crate::cluster::{Endpoint, Host, Role};
use crate::host::protocol::{Probe, Probed};
use crate::kube::Watch;
use crate::plan::{Gate, Stage};
use hopeless::Hopeless;
use proof::Memory;

/// Waits until `gate` holds, and on the hosts of `wave` holds for what was just written there. Hosts whose turn comes
/// `later` prove themselves then: what they lack now may be what they are about to get. Ends early where a host of
/// `wave` will not come up by itself.
pub(super) async fn wait(
    run: &Execution<'_>,
    stage: &Stage,
    gate: Gate,
    wave: &[&Host],
    later: &[&Host],
) -> Result<(), Vec<HostFailure>> {
    let memory = Memory::default();
    let mut hopeless = Hopeless::new(run, stage, gate, wave);
    waiting(run, stage.name, gate)
        .until(async || {
            let mut missing = observe(run, gate, later).await;
            if missing.is_empty() {
                missing = proof::missing(run, gate, wave, &memory).await;
            }
            if !missing.is_empty() {
                hopeless.look(run).await?;
            }
            Ok(missing)
        })
        .await
}

/// Waits until what was put back on `host` serves again.
pub(super) async fn wait_restored(
    run: &Execution<'_>,
    stage: &str,
    gate: Gate,
    host: &Host,
) -> Result<(), Vec<HostFailure>> {
    let watch = Watch::default();
    let others: Vec<&Host> = run.cluster.hosts.iter().filter(|one| one.name != host.name).collect();
    waiting(run, stage, gate).until(async || Ok(proof::restored(run, gate, host, &others, &watch).await)).await
}

/// Waits until the members that hold a quorum or an endpoint together with `host` are well: before that it may be what
/// holds it. Where `host` is not well itself, it holds nothing. One that a cut-off run has just restarted needs a moment.
pub(super) async fn wait_for_others(
    run: &Execution<'_>,
    stage: &Stage,
    gate: Gate,
    host: &Host,
) -> Result<(), Vec<HostFailure>> {
    if !gate.guards_quorum() {
        return Ok(());
    }
    let what = format!("the others to be well before {} of {} is changed", stage.name, host.name);
    let hint = format!("bring them back first; nothing was changed on {}", host.name);
    let wait = Wait { what: &what, hint: &hint, ..waiting(run, stage.name, gate) };
    let others = async || {
        let missing = observe(run, gate, &[]).await;
        let (own, others): (Vec<_>, Vec<_>) = missing.into_iter().partition(|line| order::is_about(line, host));
        Ok(if own.is_empty() { others } else { Vec::new() })
    };
    wait.until(others).await
}

fn waiting<'a>(run: &'a Execution<'_>, stage: &'a str, gate: Gate) -> Wait<'a> {
    let nodes = run.cluster.hosts.iter().filter(|host| host.roles.is_node()).count();
    let (what, limit, hint) = (gate.title(), gate.deadline(nodes), hint(gate));
    Wait { stage, what, limit, hint, fleet: run.fleet, events: run.events }
}

/// What `gate` still lacks, on all hosts but some; nothing when it holds.
pub(super) async fn observe(run: &Execution<'_>, gate: Gate, but: &[&Host]) -> Vec<String> {
    let counts = |host: &Host| but.iter().all(|one| one.name != host.name);
    match gate {
        Gate::EtcdHealthy => etcd::missing(run, counts).await,
        Gate::ApiServersReady => {
            answering(run, "apiserver", |host| host.roles.contains(Role::ControlPlane) && counts(host), readyz).await
        }
        Gate::KubeletsHealthy => kubelets(run, counts).await,
        Gate::ControlPlaneRunning => {
            let masters: Vec<&Host> = run.cluster.with_role(Role::ControlPlane).filter(|host| counts(host)).collect();
            static_pods::missing(run, &masters).await
        }
        Gate::ControllersHealthy => {
            static_pods::unwell(run, |host| host.roles.contains(Role::ControlPlane) && counts(host)).await
        }
        // Only those just changed have something to prove: `proof`.
        Gate::NodesUpgraded => Vec::new(),
        Gate::NodesReady => run.api.nodes_missing().await,
        Gate::WorkloadsAvailable => {
            let (own, addons) = futures::join!(
                run.api.workloads_missing(&run.survey.objects),
                run.api.addons_missing(&run.survey.addons)
            );
            [own, addons].concat()
        }
    }
}

/// What the hosts of `wave` still have to prove, at one look.
pub(super) async fn unproven(run: &Execution<'_>, gate: Gate, wave: &[&Host]) -> Vec<String> {
    proof::missing(run, gate, wave, &Memory::default()).await
}

/// Kubelets that do not answer.
pub(super) async fn kubelets(run: &Execution<'_>, counts: impl Fn(&Host) -> bool) -> Vec<String> {
    let url = |_: &Member| Probe::Http { url: "http://127.0.0.1:10248/healthz".into() };
    answering(run, "kubelet", |host| host.roles.is_node() && counts(host), url).await
}

/// What asks a master's own API server.
pub(super) fn readyz(member: &Member) -> Probe {
    let address = SocketAddr::new(member.host.address, Endpoint::APISERVER_PORT);
    Probe::Https { url: format!("https://{address}/readyz") }
}

fn hint(gate: Gate) -> &'static str {
    match gate {
        Gate::EtcdHealthy => "on the etcd hosts: journalctl -u etcd; then run the same command again",
        Gate::ApiServersReady | Gate::ControlPlaneRunning | Gate::ControllersHealthy => {
            "on the masters: journalctl -u kubelet, and the logs under /var/log/pods; then run the same command again"
        }
        Gate::KubeletsHealthy | Gate::NodesUpgraded | Gate::NodesReady => {
            "on the nodes named: journalctl -u kubelet -u containerd; then run the same command again"
        }
        Gate::WorkloadsAvailable => {
            "kubectl -n kube-system get pods -o wide, and kubectl describe of those not ready; then run the same command \
             again"
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_of_readyz_are_named() {
        assert_eq!(last_failure("[+]ping ok\n[-]etcd failed: reason withheld\n"), "[-]etcd failed: reason withheld");
        assert_eq!(last_failure("Unauthorized"), "Unauthorized");
    }
}
