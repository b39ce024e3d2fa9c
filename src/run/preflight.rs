//! Runs the named checks of [`crate::plan::preflight`] on what the survey saw, and verifies the blobs about to travel.

use std::collections::{BTreeMap, BTreeSet};

use super::distribute;
use super::failure::{HostFailure, RunError};
use super::survey::Survey;
use crate::cluster::Cluster;
use crate::image::{Blob, OpenImage};
use crate::plan::preflight::{Subject, check};

/// Nothing was changed when this fails.
pub(super) async fn run(cluster: &Cluster, image: &OpenImage, survey: &Survey) -> Result<(), RunError> {
    let mut wanted: BTreeSet<Blob> = BTreeSet::new();
    let mut incoming = BTreeMap::new();
    for (host, state) in &survey.states {
        let changes = survey.changes.get(host).map_or(&[][..], Vec::as_slice);
        let blobs = distribute::needed(state, changes);
        incoming.insert(host.clone(), blobs.iter().map(|blob| blob.size).sum());
        wanted.extend(blobs);
    }
    let findings = check(&Subject { cluster, image: &image.manifest, facts: &survey.facts, incoming: &incoming });
    if !findings.is_empty() {
        return Err(RunError::Preflight(findings));
    }
    verify(image, wanted).await
}

/// Hashes each blob once, before any host receives it.
async fn verify(image: &OpenImage, blobs: BTreeSet<Blob>) -> Result<(), RunError> {
    let checks = blobs.into_iter().map(|blob| {
        let image = image.clone();
        tokio::task::spawn_blocking(move || image.verify(&blob).map_err(|error| error.to_string()))
    });
    let mut failures = Vec::new();
    for result in futures::future::join_all(checks).await {
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failures.push(HostFailure::cluster("verify the cluster image", error)),
            Err(error) => failures.push(HostFailure::cluster("verify the cluster image", error)),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(RunError::Failed(failures)) }
}
