//! What is known of the cluster as a whole: from this machine, and from looking at it as `status` and `plan` do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::super::failure::HostFailure;
use super::super::fleet::Fleet;
use super::super::overview::{self, Overview};
use super::super::subject::Subject;
use super::Wanted;
use super::archive::Archive;
use crate::host::tail_of_file;
use crate::report::{self, Style};

/// How long looking may take. A host that hangs is told of with its own sources.
const LOOK: Duration = Duration::from_secs(150);
/// Logs of runs.
const RUNS: usize = 10;

/// What needs no host: the inventory, versions, the logs of the last runs.
pub(super) async fn at_hand(subject: &Subject<'_>, wanted: &Wanted<'_>, archive: &Archive) {
    match &wanted.inventory {
        Ok(text) => archive.add("cluster/inventory.yaml", text.clone()).await,
        Err(why) => archive.lacks("cluster/inventory.yaml", why),
    }
    let versions = json!({
        "kubewright": env!("CARGO_PKG_VERSION"),
        "image": subject.image.reference(),
        "digest": subject.image.digest,
        "kubernetes": subject.image.manifest.kubernetes.to_string(),
        "components": subject.image.manifest.components.iter().map(|c| format!("{} {}", c.name, c.version)).collect::<Vec<_>>(),
        "made": jiff::Timestamp::now().to_string(),
    });
    archive.add_json("cluster/versions.json", &versions).await;
    match runs(&subject.state.runs()) {
        Ok(logs) => {
            for path in logs {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let place = format!("cluster/runs/{name}");
                match tail_of_file(&path, wanted.bytes) {
                    Ok(text) => archive.add(place, text).await,
                    Err(error) => archive.lacks(place, error),
                }
            }
        }
        Err(error) => archive.lacks("cluster/runs/", error),
    }
}

/// The logs of the last runs.
fn runs(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut logs = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    logs.retain(|path| path.extension().is_some_and(|end| end == "log"));
    logs.sort();
    Ok(logs.split_off(logs.len().saturating_sub(RUNS)))
}

/// What looking at all hosts tells.
pub(super) async fn seen(subject: &Subject<'_>, fleet: &Fleet, unreachable: &[HostFailure], archive: &Archive) {
    let Ok(overview) = timeout(LOOK, overview::look(subject, fleet, unreachable)).await else {
        let why = format!("looking at all hosts was not done within {} s", LOOK.as_secs());
        return archive.lacks("cluster/status.json, etcd.json and plan.txt", why);
    };
    let Overview { status, members, facts, path, changes, .. } = &overview;
    archive.add_json("cluster/status.json", status).await;
    archive.add_json("cluster/etcd.json", members).await;
    archive.add_json("cluster/path.json", path).await;
    let components = facts.iter().map(|(host, facts)| {
        let own = json!({ "os": facts.os, "kernel": facts.kernel, "runs": facts.versions });
        (host.to_string(), own)
    });
    archive.add_json("cluster/hosts.json", &components.collect::<serde_json::Map<_, _>>()).await;
    let mut plan = report::render_plan(changes, Style::Plain);
    for why in [&status.drift_unknown, &status.api_unknown, &status.other_versions].into_iter().flatten() {
        plan = format!("Not all of it is known: {why}\n\n{plan}");
    }
    archive.add("cluster/plan.txt", plan).await;
    for why in [&status.drift_unknown, &status.api_unknown].into_iter().flatten() {
        archive.lacks("cluster/plan.txt, in part", why);
    }
}
