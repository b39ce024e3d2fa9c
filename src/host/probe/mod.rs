//! Looks at something that runs, from the host itself: an answer, or why there is none.

mod certificates;
mod disks;
mod etcd;
mod http;
mod log;
mod modules;
mod pods;
mod reach;
mod syncs;
mod tries;

use std::time::{SystemTime, UNIX_EPOCH};

use super::etcdctl;
use super::machine::Machine;
use super::protocol::{Failure, Probe, Probed};

pub(super) use certificates::list as certificates;
pub(super) use etcd::{act as etcd_act, get as etcd_get, probe as etcd_probe, put as etcd_put};
pub(super) use http::{body, chain};
pub(super) use pods::{of as pods_of, processes as pod_processes};
pub(super) use reach::Listeners;

/// Answers a probe. That nothing answers over there is an answer; only what stops us from asking is a failure.
pub(super) async fn probe(machine: &Machine, listeners: &mut Listeners, probe: &Probe) -> Result<Probed, Failure> {
    match probe {
        Probe::Pods { program } => pods::running(machine, program),
        Probe::Clock => Ok(clock()),
        Probe::Syncs => syncs::probe(machine),
        Probe::Modules { names } => modules::missing(machine, names),
        Probe::Disks { disks } => disks::unusable(machine, disks),
        Probe::Files { paths } => missing(machine, paths),
        Probe::Listen { addresses } => {
            listeners.listen(addresses).await;
            Ok(Probed::Done)
        }
        Probe::Reach { addresses } => Ok(reach::reach(addresses).await),
        Probe::Try { pod, tries } => tries::tried(machine, pod.as_deref(), tries).await,
        Probe::Hush => {
            listeners.hush().await;
            Ok(Probed::Done)
        }
        Probe::Etcd { endpoint } => etcd::probe(machine, endpoint).await,
        Probe::EtcdHash { endpoint, revision } => etcdctl::hash(machine, endpoint, *revision),
        Probe::Log(of) => log::probe(machine, of),
        Probe::Https { url } => http::get(http::trusting(machine, "/etc/kubernetes/pki/ca.crt")?, url).await,
        Probe::Healthz { port } => http::get(http::unverified(), &format!("https://127.0.0.1:{port}/healthz")).await,
        Probe::Http { url } => http::get(http::client().tls_certs_only([]), url).await,
        Probe::Restarts(of) => log::restarts(machine, of),
        Probe::Certificates => certificates::list(machine).map(|certificates| Probed::Certificates { certificates }),
    }
}

fn missing(machine: &Machine, paths: &[String]) -> Result<Probed, Failure> {
    let mut names = Vec::new();
    for path in paths {
        if !machine.exists(path)? {
            names.push(path.clone());
        }
    }
    Ok(Probed::Missing { names })
}

fn clock() -> Probed {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Probed::Clock { milliseconds: i64::try_from(now.as_millis()).unwrap_or(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_this_machines() {
        assert!(matches!(clock(), Probed::Clock { milliseconds } if milliseconds > 1_700_000_000_000));
    }
}
