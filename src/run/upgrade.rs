//! `upgrade`: from one cluster image to the next, and `upgrade --rollback`: back to what was kept of before.

use std::collections::BTreeMap;
use std::time::Instant;

use super::api::ApiAccess;
use super::execution::Execution;
use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, unexpected};
use super::install::{Summary, finish, tell_notes};
use super::rolling::Rolling;
use super::subject::{Subject, connect};
use super::survey::Survey;
use super::{checkpoint, lock, preflight, put_back, roll, set_to_run};
use crate::cluster::HostName;
use crate::desired::state::HostState;
use crate::host::protocol::{Reply, ToAgent, Upgrade};
use crate::pki::Renewal;
use crate::plan::path::{self, Path};
use crate::plan::preflight::Severity;
use crate::plan::{self as stages, Preview, Stage};
use crate::report::Events;

/// What the operator wants of an upgrade.
pub struct Request<'a> {
    /// How it goes through the nodes.
    pub rolling: Rolling,
    /// Where it pauses.
    pub pause: Pause,
    /// Checks whose findings are warnings.
    pub ignored: &'a preflight::Ignored,
    /// Whether it may begin, asked once all of it is known.
    pub confirm: &'a (dyn Fn(&Preview) -> bool + Sync),
}

/// Where an upgrade ends before its end; the next run goes on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// Nowhere.
    Never,
    /// Before the stage of this name.
    Before(&'static str),
    /// After the stage of this name.
    After(&'static str),
}

impl Pause {
    /// The stages that are left of `list`.
    fn cut(&self, mut list: Vec<Stage>) -> Vec<Stage> {
        let position = |name: &str| list.iter().position(|stage| stage.name == name);
        let end = match self {
            Self::Never => None,
            Self::Before(name) => position(name),
            Self::After(name) => position(name).map(|index| index + 1),
        };
        list.truncate(end.unwrap_or(list.len()));
        list
    }
}

/// How an upgrade ended, if not by a failure.
#[derive(Debug)]
pub enum Outcome {
    /// All of it is done, or as much as was asked for.
    Done(Summary),
    /// Every host runs what the image holds.
    Nothing,
    /// The operator said no; nothing was changed.
    Declined,
}

/// Brings a living cluster to another image.
pub async fn upgrade(subject: &Subject<'_>, request: &Request<'_>, events: &Events) -> Result<Outcome, RunError> {
    let began = Instant::now();
    let (cluster, image) = (subject.cluster, subject.image);
    let fleet = connect(subject, events).await?;
    lock::take(&fleet, "upgrade").await?;
    checkpoint::pass("locked");
    let survey = Survey::take(subject, &fleet, Renewal::Early).await?;
    checkpoint::pass("surveyed");
    survey.refuse_restoring("upgrade")?;
    let path = path::path(cluster, &image.manifest, &survey.facts);
    let obstacles = path.obstacles(&image.manifest);
    if !obstacles.is_empty() {
        return Err(RunError::Preflight(obstacles));
    }
    let api = ApiAccess::new(cluster, &fleet, &survey.keys);
    let rolling = &request.rolling;
    let drained = roll::emptied(&stages::upgrade(), cluster, &survey, rolling);
    let found = api.upgrade_findings(cluster, image.manifest.kubernetes, &drained, &rolling.drain).await;
    let (errors, warnings): (Vec<_>, Vec<_>) =
        found.map_err(RunError::Failed)?.into_iter().partition(|finding| finding.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(RunError::Preflight(errors));
    }
    preflight::run(subject, &fleet, &survey, request.ignored, events).await?;
    tell_notes(&survey, events);
    let list = request.pause.cut(stages::upgrade());
    let replaced = api.pods_to_replace(&survey).await;
    let rolling = request.rolling.clone();
    let backup = format!("{}-before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), image.manifest.name);
    let (upgrade, fleet, survey, api) = (Upgrade { to: image.digest.clone() }, &fleet, &survey, &api);
    let execution =
        Execution { replaced, rolling, upgrade, backup, ..Execution::of(subject, fleet, survey, api, events) };
    let preview = execution.preview(&list, path, warnings).await;
    if preview.order.is_empty() && !preview.path.changes() {
        // A killed run may have left a node cordoned, or the cluster's objects to be applied.
        return finish(execution.run(&list).await, began, events).map(|summary| match summary.changed {
            0 => Outcome::Nothing,
            _ => Outcome::Done(summary),
        });
    }
    if !(request.confirm)(&preview) {
        return Ok(Outcome::Declined);
    }
    let cached = subject.state.keys().save(&survey.keys.cache);
    cached.map_err(|error| HostFailure::cluster("write the keys in the local state directory", error))?;
    checkpoint::pass("keys-cached");
    finish(execution.run(&list).await, began, events).map(Outcome::Done)
}

/// Puts every host back on what was kept of it before the last upgrade.
pub async fn rollback(subject: &Subject<'_>, request: &Request<'_>, events: &Events) -> Result<Outcome, RunError> {
    let began = Instant::now();
    let cluster = subject.cluster;
    let fleet = connect(subject, events).await?;
    lock::take(&fleet, "rollback").await?;
    let survey = Survey::take(subject, &fleet, Renewal::Due).await?;
    survey.refuse_restoring("roll back")?;
    let kept = fleet.each(|_| true, async |member| put_back::kept(member).await).await;
    let kept = kept.all().map_err(RunError::Failed)?;
    let upgrade = of_one_upgrade(&kept)?;
    let states: BTreeMap<_, _> = kept.into_iter().map(|(host, (_, parts))| (host, HostState { parts })).collect();
    let Some(upgrade) = upgrade else {
        let why = "no host has anything kept of an upgrade";
        return Err(HostFailure::cluster("roll back", why).hint("there is nothing to return to").into());
    };
    let survey = survey.against(&fleet, states).await?;
    let kept = survey.states.iter().map(|(host, state)| (host.clone(), set_to_run::versions(state))).collect();
    let path = Path::back(cluster, &survey.facts, &kept);
    let obstacles = path.one_way();
    if !obstacles.is_empty() {
        return Err(RunError::Preflight(obstacles));
    }
    let api = ApiAccess::new(cluster, &fleet, &survey.keys);
    let replaced = api.pods_to_replace(&survey).await;
    let (rolling, backup) = (request.rolling.clone(), String::new());
    let (fleet, survey, api) = (&fleet, &survey, &api);
    let execution =
        Execution { replaced, rolling, upgrade, backup, ..Execution::of(subject, fleet, survey, api, events) };
    let list = request.pause.cut(stages::rollback());
    let preview = execution.preview(&list, path, Vec::new()).await;
    if !preview.order.is_empty() && !(request.confirm)(&preview) {
        return Ok(Outcome::Declined);
    }
    let summary = finish(execution.run(&list).await, began, events)?;
    if request.pause == Pause::Never && request.rolling.only.is_none() {
        forget(fleet).await?;
        api.call("forget what was kept of the cluster's objects", async |api| api.forget_objects().await)
            .await
            .map_err(RunError::Failed)?;
    }
    Ok(if summary.changed == 0 { Outcome::Nothing } else { Outcome::Done(summary) })
}

/// An upgrade that was cut off while hosts were keeping what they are has changed nothing yet; but some hosts still hold
/// what they were before the one before, and to put those back would tear the cluster apart.
fn of_one_upgrade<T>(kept: &BTreeMap<HostName, (Option<Upgrade>, T)>) -> Result<Option<Upgrade>, HostFailure> {
    let mut hosts: BTreeMap<&Upgrade, Vec<&str>> = BTreeMap::new();
    for (host, (upgrade, _)) in kept {
        if let Some(upgrade) = upgrade {
            hosts.entry(upgrade).or_default().push(host.as_str());
        }
    }
    if hosts.len() <= 1 {
        return Ok(hosts.into_keys().next().cloned());
    }
    let groups: Vec<_> = hosts
        .iter()
        .map(|(upgrade, hosts)| format!("{} before the upgrade to {}", hosts.join(", "), upgrade.to))
        .collect();
    let why = format!("hosts remember different moments: {}", groups.join("; "));
    Err(HostFailure::cluster("roll back", why)
        .hint("the last upgrade was cut off before it changed anything; run `kubewright upgrade` again, and roll back after that"))
}

/// What was kept has been put back: a later upgrade keeps what is there then.
async fn forget(fleet: &Fleet) -> Result<(), RunError> {
    let what = "forget what was kept of the host";
    let ask = async |member: &Member| match member.ask(what, ToAgent::Forget).await? {
        Reply::Done => Ok(()),
        other => Err(unexpected(what, &other)),
    };
    fleet.each(|_| true, ask).await.all().map(drop).map_err(RunError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_leads_to_one_moment() {
        let kept = |goals: [Option<&str>; 3]| -> BTreeMap<HostName, (Option<Upgrade>, ())> {
            let names = ["m1", "m2", "n1"].map(|name| HostName::parse(name).unwrap());
            names.into_iter().zip(goals.map(|to| (to.map(|to| Upgrade { to: to.to_owned() }), ()))).collect()
        };
        let upgrade = of_one_upgrade(&kept([Some("b"), None, Some("b")])).unwrap();
        assert_eq!(upgrade, Some(Upgrade { to: "b".into() }));
        assert_eq!(of_one_upgrade(&kept([None, None, None])).unwrap(), None);
        let error = of_one_upgrade(&kept([Some("c"), Some("b"), Some("c")])).unwrap_err().to_string();
        assert!(error.contains("m2 before the upgrade to b; m1, n1 before the upgrade to c"), "{error}");
    }

    #[test]
    fn a_pause_cuts_the_list_where_it_says() {
        let names =
            |pause: Pause| pause.cut(stages::upgrade()).iter().map(|stage| stage.name).collect::<Vec<_>>().join(" ");
        assert!(names(Pause::Never).ends_with("prune"));
        assert_eq!(names(Pause::Before("etcd")), "keep backup distribute prepare");
        assert!(names(Pause::After("workers")).ends_with("masters workers"));
    }
}
