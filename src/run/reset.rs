//! Returns hosts to bare. Every host is tried; what failed on one does not stop the others.

use super::failure::RunError;
use super::fleet::unexpected;
use super::lock;
use super::subject::{Subject, connect};
use crate::host::protocol::{Change, Reply, ToAgent};
use crate::report::Events;

/// Resets every host of the cluster and forgets its cached keys. Answers with what was removed, by host.
pub async fn reset(subject: &Subject<'_>, events: &Events) -> Result<Vec<(String, Vec<Change>)>, RunError> {
    let fleet = connect(subject, events).await?;
    lock::take(&fleet, "reset").await?;
    let outcomes = fleet
        .each(
            |_| true,
            async |member| {
                let (host, events) = (member.host.name.to_string(), events.clone());
                let mut on_event = move |event| {
                    if let crate::host::protocol::Event::Changed { change, .. } = event {
                        let (stage, host) = ("reset".to_owned(), host.clone());
                        events.send(crate::report::Event::Changed { stage, host, change });
                    }
                };
                match member.ask_with("reset", ToAgent::Reset, &mut on_event).await? {
                    Reply::Changes { parts } => Ok(parts.into_iter().flat_map(|part| part.changes).collect::<Vec<_>>()),
                    other => Err(unexpected("reset", &other)),
                }
            },
        )
        .await;
    let removed = outcomes.all().map_err(RunError::Failed)?;
    // The keys belonged to a cluster that is no more; the next install must not take them for a living one's.
    let what = format!("remove the cluster's keys from {}", subject.state.path().display());
    subject.state.forget_keys().map_err(|error| super::HostFailure::cluster(what, error))?;
    Ok(removed.into_iter().map(|(host, changes)| (host.to_string(), changes)).collect())
}
