//! What every run works on, and how it gets to its hosts.

use super::checkpoint;
use super::failure::RunError;
use super::fleet::Fleet;
use super::state::StateDirectory;
use crate::cluster::Cluster;
use crate::image::OpenImage;
use crate::remote::Connector;
use crate::report::Events;

/// What a run works on.
pub struct Subject<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its image.
    pub image: &'a OpenImage,
    /// How to log in.
    pub connector: &'a Connector,
    /// Most hosts at a time.
    pub parallel: usize,
    /// The local cache.
    pub state: &'a StateDirectory,
}

/// Connects to every host, or names all that could not be reached and what the others said.
pub(super) async fn connect(subject: &Subject<'_>, events: &Events) -> Result<Fleet, RunError> {
    let (fleet, failed) = Fleet::connect(&subject.cluster.hosts, subject.connector, subject.parallel, events).await;
    checkpoint::pass("connected");
    if failed.is_empty() {
        return Ok(fleet);
    }
    let reached: Vec<_> = fleet.members().map(|member| member.host.name.to_string()).collect();
    if !reached.is_empty() {
        events.note(format!("reached, and left as they are: {}", reached.join(", ")));
    }
    Err(RunError::Failed(failed))
}
