//! Looks at something that runs, from the host itself: an answer, or why there is none.

mod certificates;
mod etcd;
mod http;

use super::machine::Machine;
use super::protocol::{Failure, Probe, Probed};
use super::systemd;

/// Answers a probe. That nothing answers over there is an answer; only what stops us from asking is a failure.
pub(super) async fn probe(machine: &Machine, probe: &Probe) -> Result<Probed, Failure> {
    match probe {
        Probe::Etcd { endpoint } => etcd::probe(machine, endpoint).await,
        Probe::Https { url } => http::get(http::trusting(machine, "/etc/kubernetes/pki/ca.crt")?, url).await,
        Probe::Http { url } => http::get(http::client().tls_certs_only([]), url).await,
        Probe::Unit { name } => systemd::restarts_of(machine, name),
        Probe::Certificates => certificates::list(machine).map(|certificates| Probed::Certificates { certificates }),
    }
}
