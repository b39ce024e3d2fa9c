//! Sends a host the blobs that its state needs and that it lacks, each from where an earlier run stopped.

use std::collections::BTreeSet;

use tokio::io::AsyncSeekExt;

use super::checkpoint;
use super::failure::remote;
use super::fleet::{Member, unexpected};
use crate::desired::state::{HostState, Resource};
use crate::host::protocol::{Failure, PartChanges, Reply, ToAgent};
use crate::image::{Blob, OpenImage};
use crate::report::{Event, Events};

/// The blobs behind pending components and images of a host.
pub(super) fn needed(state: &HostState, changes: &[PartChanges]) -> BTreeSet<Blob> {
    let pending: BTreeSet<&str> =
        changes.iter().flat_map(|part| &part.changes).map(|change| change.resource.as_str()).collect();
    let resources = state.parts.iter().flat_map(|part| &part.resources);
    let carried = resources.filter_map(|resource| match resource {
        Resource::Component(component) => Some((component.title(), &component.blob)),
        Resource::Images(images) => Some((images.title(), &images.blob)),
        _ => None,
    });
    carried.filter(|(title, _)| pending.contains(title.as_str())).map(|(_, blob)| blob.clone()).collect()
}

/// Sends `blobs` to a host; those already there cost nothing.
pub(super) async fn send(
    member: &Member,
    image: &OpenImage,
    blobs: &BTreeSet<Blob>,
    stage: &str,
    events: &Events,
) -> Result<usize, Failure> {
    let what = "ask for blobs";
    let have = match member.ask(what, ToAgent::Blobs { blobs: blobs.iter().cloned().collect() }).await? {
        Reply::Blobs { have } => have,
        other => return Err(unexpected(what, &other)),
    };
    let offset = |blob: &Blob| have.get(&blob.sha256).copied().unwrap_or(0).min(blob.size);
    let missing: Vec<&Blob> = blobs.iter().filter(|blob| offset(blob) < blob.size).collect();
    let total: u64 = missing.iter().map(|blob| blob.size - offset(blob)).sum();
    let mut sent = 0;
    for blob in &missing {
        let path = image.blob_path(blob);
        let broken = |error: std::io::Error| Failure {
            what: format!("read blob sha256:{} from {}", blob.sha256, path.display()),
            why: error.to_string(),
            hint: Some("build or fetch the cluster image again".into()),
        };
        let mut file = tokio::fs::File::open(&path).await.map_err(broken)?;
        file.seek(std::io::SeekFrom::Start(offset(blob))).await.map_err(broken)?;
        let host = member.host.name.to_string();
        let mut in_blob = 0;
        let mut on_bytes = |bytes: u64| {
            in_blob = bytes;
            events.send(Event::Sent { stage: stage.to_owned(), host: host.clone(), bytes: sent + bytes, total });
        };
        let what = format!("send blob sha256:{}", blob.sha256);
        let result = member.agent().await.put(blob, offset(blob), file, &mut on_bytes).await;
        result.map_err(|error| remote(&what, error))?;
        sent += in_blob;
        checkpoint::pass("distribute:blob");
    }
    Ok(missing.len())
}
