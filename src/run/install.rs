//! `plan` and `install`: the same walk; `plan` stops after the comparison.

use std::time::{Duration, Instant};

use super::addons::foreign_images;
use super::api::ApiAccess;
use super::execute::StageResult;
use super::execution::Execution;
use super::failure::{HostFailure, RunError};
use super::rolling::Rolling;
use super::subject::{Subject, connect};
use super::survey::Survey;
use super::{checkpoint, lock, preflight, roll};
use crate::host::protocol::Change;
use crate::kube::Pruning;
use crate::pki::Renewal;
use crate::plan as stages;
use crate::report::{Event, Events};

/// What an install did.
#[derive(Debug)]
pub struct Summary {
    /// Stages, in the order in which they ended.
    pub stages: Vec<StageResult>,
    /// All changes.
    pub changed: usize,
    /// Whole run.
    pub took: Duration,
}

/// What `install` would do.
#[derive(Debug)]
pub struct Pending {
    /// Changes by host, then those at the API (`api`); none of them is empty.
    pub changes: Vec<(String, Vec<Change>)>,
    /// Why the API could not be compared, when it could not.
    pub api_unknown: Option<RunError>,
}

/// What `install` would do. Changes nothing.
pub async fn plan(subject: &Subject<'_>, pruning: Pruning, events: &Events) -> Result<Pending, RunError> {
    let fleet = connect(subject, events).await?;
    if let Some(by) = lock::holder_now(&fleet).await {
        events.note(format!("another run is at work, so this may be out of date soon: {by}"));
    }
    let survey = Survey::take(subject, &fleet, Renewal::Due).await?.complete()?;
    tell_notes(&survey, events);
    if let Some(OtherVersions { what, hint }) = OtherVersions::of(subject, &survey) {
        events.note(format!("{what}; install refuses to change that: {hint}"));
    }
    for told in foreign_images(&survey.addons, subject.image) {
        events.note(format!("{told}: nodes have to reach its registry"));
    }
    let mut changes = survey.host_changes();
    let api = ApiAccess::new(subject.cluster, &fleet, &survey.keys);
    let api_unknown = match api.pending(&survey, pruning).await {
        Ok((pending, left)) => {
            left.into_iter().for_each(|note| events.note(note));
            changes.push(("api".to_owned(), pending));
            None
        }
        Err(failures) => Some(RunError::Failed(failures)),
    };
    changes.retain(|(_, changes)| !changes.is_empty());
    Ok(Pending { changes, api_unknown })
}

/// What a living cluster runs in other versions than the image has, and what to do about that.
pub(super) struct OtherVersions {
    pub(super) what: String,
    pub(super) hint: &'static str,
}

impl OtherVersions {
    pub(super) fn of(subject: &Subject<'_>, survey: &Survey) -> Option<Self> {
        let image = &subject.image.manifest;
        let path = stages::path::path(subject.cluster, image, &survey.facts);
        let upgrades = path.upgrades();
        if upgrades.is_empty() || !survey.cluster_exists() {
            return None;
        }
        let what = format!("this cluster runs other versions than {} has: {}", image.name, upgrades.join("; "));
        let hint = if path.obstacles(image).is_empty() {
            "`kubewright upgrade` with the same inventory brings it there"
        } else {
            "an upgrade that was paused or cut off goes on with the same `kubewright upgrade --image`; once it is \
             done, name that image in spec.image"
        };
        Some(Self { what, hint })
    }
}

/// Other versions on a living cluster come by an upgrade, in its order and with its proofs, never by an install.
fn refuse_upgrade(subject: &Subject<'_>, survey: &Survey) -> Result<(), RunError> {
    match OtherVersions::of(subject, survey) {
        Some(OtherVersions { what, hint }) => {
            Err(HostFailure::cluster("install", what).hint(format!("{hint}; nothing was changed")).into())
        }
        None => Ok(()),
    }
}

/// Which certificates are issued anew and why, and what runs out.
pub(super) fn tell_notes(survey: &Survey, events: &Events) {
    for note in &survey.keys.notes {
        let host = note.host.as_ref().map_or_else(|| "cluster".to_owned(), ToString::to_string);
        events.note(format!("{host}: {}: {}", note.subject, note.text));
    }
}

/// Brings the cluster about. Checks named in `ignored` do not keep it from beginning.
pub async fn install(
    subject: &Subject<'_>,
    ignored: &preflight::Ignored,
    pruning: Pruning,
    events: &Events,
) -> Result<Summary, RunError> {
    let began = Instant::now();
    let fleet = connect(subject, events).await?;
    lock::take(&fleet, "install").await?;
    checkpoint::pass("locked");
    let survey = Survey::take(subject, &fleet, Renewal::Due).await?;
    checkpoint::pass("surveyed");
    survey.refuse_restoring("install")?;
    survey.refuse_empty("install")?;
    refuse_upgrade(subject, &survey)?;
    tell_notes(&survey, events);
    preflight::run(subject, &fleet, &survey, ignored, events).await?;
    let api = ApiAccess::new(subject.cluster, &fleet, &survey.keys);
    let rolling = Rolling::of(&subject.cluster.upgrade);
    let emptied = roll::emptied(&stages::install(), subject.cluster, &survey, &rolling);
    api.refuse_stuck_drains(&emptied, &rolling.drain).await?;
    // The cache is written before any host has a key of ours: whatever happens next, the CAs are not lost.
    let cached = subject.state.keys().save(&survey.keys.cache);
    cached.map_err(|error| HostFailure::cluster("write the keys in the local state directory", error))?;
    checkpoint::pass("keys-cached");

    let replaced = api.pods_to_replace(&survey).await;
    let execution = Execution { replaced, pruning, ..Execution::of(subject, &fleet, &survey, &api, events) };
    finish(execution.run(&stages::install()).await, began, events)
}

/// Tells how a run of stages ended.
pub(super) fn finish(
    outcome: Result<Vec<StageResult>, (Vec<StageResult>, RunError)>,
    began: Instant,
    events: &Events,
) -> Result<Summary, RunError> {
    let results = match &outcome {
        Ok(results) | Err((results, _)) => results,
    };
    let changed = results.iter().map(|result| result.changed).sum();
    let failed = if let Err((_, RunError::Failed(failures))) = &outcome { failures.len() } else { 0 };
    let took = began.elapsed();
    events.send(Event::RunFinished { changed, failed, took });
    match outcome {
        Ok(stages) => Ok(Summary { stages, changed, took }),
        Err((_, error)) => Err(error),
    }
}
