//! Canaries on nodes that were just changed: the last proof before a node is opened. The scheduler must place one, the
//! node start it and give it a network; it must reach the API by its service (and the DNS of the cluster, where there is
//! one, resolve that), and be reached from elsewhere.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::super::execution::Execution;
use crate::cluster::{Host, HostName};
use crate::host::protocol::{Probe, Probed};
use crate::kube::CANARY_PORT;

/// The container image that has what a canary needs.
const IMAGE: &str = "busybox";

/// Canaries of one wait.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    started: Mutex<BTreeSet<HostName>>,
}

impl Canaries {
    /// What the canaries on the nodes of `wave` have not proven yet; starts those that are not there.
    pub(super) async fn missing(&self, run: &Execution<'_>, wave: &[&Host]) -> Vec<String> {
        let Some(image) = run.image.manifest.reference(IMAGE) else { return Vec::new() };
        let mut missing = Vec::new();
        for host in wave {
            if let Err(why) = self.look(run, host, wave, image).await {
                missing.push(format!("{}: a pod on it: {why}", host.name));
            }
        }
        missing
    }

    async fn look(&self, run: &Execution<'_>, host: &Host, wave: &[&Host], image: &str) -> Result<(), String> {
        let is_started = |started: &BTreeSet<HostName>| started.contains(&host.name);
        if !is_started(&self.started.lock().unwrap_or_else(PoisonError::into_inner)) {
            let service = run.api.canary_service(&run.cluster.network).await?;
            run.api.start_canary(&host.name, image, service.as_deref()).await?;
            self.started.lock().unwrap_or_else(PoisonError::into_inner).insert(host.name.clone());
        }
        let address = std::net::SocketAddr::new(run.api.canary(&host.name).await?, CANARY_PORT);
        let elsewhere = |one: &&Host| one.roles.is_node() && wave.iter().all(|host| host.name != one.name);
        let from = run.cluster.hosts.iter().find(elsewhere).unwrap_or(host);
        let Some(member) = run.fleet.member(&from.name) else { return Err(format!("{} is gone", from.name)) };
        match member.probe(Probe::Http { url: format!("http://{address}/") }).await {
            Ok(Probed::Http { status: 200, .. }) => Ok(()),
            Ok(Probed::Http { status, .. }) => Err(format!("answers {} with {status}", from.name)),
            Ok(Probed::Unreachable { why }) => Err(format!("not reached from {}: {why}", from.name)),
            Ok(_) => Err("no answer to this probe".into()),
            Err(failure) => Err(format!("{}: {failure}", from.name)),
        }
    }
}
