//! `support`: one archive for whoever is to help. It takes no lock and changes nothing; what cannot be had is listed in
//! it, with why. Everything goes through [`Archive::add`], which strikes out secrets before a byte is written.

mod api;
mod archive;
mod cluster;
mod hosts;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::failure::{HostFailure, RunError};
use super::fleet::Fleet;
use super::subject::Subject;
use crate::cluster::HostName;
use crate::report::Events;

pub use archive::{Archived, Missing, Place};

use archive::Archive;
use secrets::Secrets;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Where the archive goes.
    pub place: Place<'a>,
    /// How far logs go back, in seconds.
    pub seconds: u64,
    /// Most bytes of each log.
    pub bytes: u64,
    /// Only the logs of these hosts; all of them without any.
    pub hosts: BTreeSet<HostName>,
    /// The text of the inventory, or why there is none.
    pub inventory: Result<String, String>,
}

/// Makes the archive. Only that it cannot be written is a failure.
pub async fn support(subject: &Subject<'_>, wanted: &Wanted<'_>, events: &Events) -> Result<Archived, RunError> {
    let failed = |error| {
        let what = format!("write {}", wanted.place.path.display());
        HostFailure::cluster(what, error).hint("name another file with --to")
    };
    let secrets = Secrets::of(subject);
    let values: Vec<String> = secrets.values.into_iter().collect();
    let archive = Archive::begin(&wanted.place, &values).map_err(failed)?;
    secrets.unknown.into_iter().for_each(|one| archive.lacks(one.what, one.why));
    let wished = |name: &HostName| wanted.hosts.is_empty() || wanted.hosts.contains(name);

    cluster::at_hand(subject, wanted, &archive).await;
    let (fleet, unreachable) =
        Fleet::connect(&subject.cluster.hosts, subject.connector, subject.parallel, events).await;
    for failure in &unreachable {
        let place = failure.host.as_ref().map_or_else(|| "hosts/".to_owned(), |host| format!("hosts/{host}/"));
        archive.lacks(place, &failure.failure);
    }
    events.note("looking at the cluster as a whole");
    cluster::seen(subject, &fleet, &unreachable, &archive).await;
    api::collect(subject, &fleet, &archive).await;
    events.note("collecting from the hosts");
    hosts::collect(&fleet, wished, wanted, &values, &archive).await;
    Ok(archive.finish().await.map_err(failed)?)
}
