//! Hosts that give blobs to each other: who they are, and where they listen while a run distributes blobs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::super::failure::HostFailure;
use super::super::fleet::{Member, unexpected};
use super::Job;
use crate::cluster::{Host, HostName};
use crate::host::protocol::{Failure, Reply, ToAgent};
use crate::host::transfer::{PeerIdentity, Serve, Source};
use crate::image::Blob;
use crate::pki::RunAuthority;

/// The hosts that give blobs to each other.
#[derive(Default)]
pub(super) struct Peers {
    identities: BTreeMap<HostName, PeerIdentity>,
    addresses: BTreeMap<HostName, SocketAddr>,
}

impl Peers {
    /// Makes `members` give `blobs` to each other. A host where that fails still takes them.
    pub(super) async fn start(job: &Job<'_>, members: &[&Member], blobs: &BTreeSet<Blob>) -> Result<Self, HostFailure> {
        let failed = |error| HostFailure::cluster("prepare the hosts to give blobs to each other", error);
        let authority = RunAuthority::new(jiff::Timestamp::now()).map_err(failed)?;
        let mut identities = BTreeMap::new();
        for member in members {
            let Host { name, address, .. } = &member.host;
            let own = authority.issue(name.as_str(), *address).map_err(failed)?;
            let identity = PeerIdentity {
                authority: authority.certificate().to_owned(),
                certificate: own.certificate,
                key: own.key,
            };
            identities.insert(name.clone(), identity);
        }
        let serve = async |member: &Member| {
            let what = "give blobs to other hosts";
            let Some(identity) = identities.get(&member.host.name).cloned() else {
                return Err(Failure::new(what, "it has no certificate of the run"));
            };
            let address = SocketAddr::new(member.host.address, job.settings.port);
            let blobs = blobs.iter().cloned().collect();
            let serve = Serve { address, identity, blobs, rate_limit: job.settings.rate_limit };
            match member.ask(what, ToAgent::Serve(serve)).await? {
                Reply::Serving { address } => Ok(address),
                other => Err(unexpected(what, &other)),
            }
        };
        let outcomes = job.fleet.each(|host| identities.contains_key(&host.name), serve).await;
        if !outcomes.failed.is_empty() {
            let first = outcomes.failed.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join("\n");
            job.events.note(format!("{} hosts give no blobs to the others:\n{first}", outcomes.failed.len()));
        }
        Ok(Self { identities, addresses: outcomes.ok })
    }

    /// Whether others can take blobs from `host`.
    pub(super) fn gives(&self, host: &HostName) -> bool {
        self.addresses.contains_key(host)
    }

    /// `from`, as `to` sees it.
    pub(super) fn source(&self, from: &HostName, to: &HostName) -> Option<Source> {
        let (address, identity) = (*self.addresses.get(from)?, self.identities.get(to)?.clone());
        Some(Source::Peer { address, identity })
    }

    /// Nobody listens any more. Where that fails the session has ended, and the listener with it.
    pub(super) async fn stop(self, job: &Job<'_>) {
        let quiet = async |member: &Member| member.ask("give no more blobs", ToAgent::StopServing).await.map(drop);
        let _ = job.fleet.each(|host| self.addresses.contains_key(&host.name), quiet).await;
    }
}

/// Most hosts that a note names.
const NAMED: usize = 5;
