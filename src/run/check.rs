//! Checks of a living cluster that an operator asks for.

use super::api::ApiAccess;
use super::connectivity::Check;
use super::failure::RunError;
use super::fleet::Fleet;
use super::lock;
use super::subject::Subject;
use super::survey::Survey;
use crate::plan::Connectivity;
use crate::report::Events;

/// Tries the network between pods. Hosts that do not answer are no reason not to: theirs are the ways that are broken.
pub async fn check_network(subject: &Subject<'_>, events: &Events) -> Result<Connectivity, RunError> {
    let (fleet, unreachable) =
        Fleet::connect(&subject.cluster.hosts, subject.connector, subject.parallel, events).await;
    for failure in &unreachable {
        events.note(failure.to_string());
    }
    if fleet.members().next().is_none() {
        return Err(RunError::Failed(unreachable));
    }
    // Two checks at once would take each other's pods away.
    lock::take(&fleet, "check network").await?;
    let keys = Survey::keys(subject, &fleet).await?;
    let api = ApiAccess::new(subject.cluster, &fleet, &keys);
    let image = &subject.image.manifest;
    let check = Check { cluster: subject.cluster, image, fleet: &fleet, api: &api, events, stage: "network" };
    check.run().await.map_err(RunError::Failed)
}
