//! `etcd restore`: a snapshot in the place of what all members have, and the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::api::ApiAccess;
use super::execution::Execution;
use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, unexpected};
use super::subject::{Subject, connect};
use super::survey::Survey;
use super::{checkpoint, distribute, etcd, gate, lock};
use crate::cluster::{Cluster, Distribution, DistributionMode, Host, HostName, Role, Version};
use crate::desired;
use crate::host::protocol::{Failure, Reply, Restore, RestoreStep, RestoredMember, ToAgent};
use crate::image::Blob;
use crate::pki::Renewal;
use crate::plan::{self, OnFailure, Pace, RestoreStage, RestoreWork, Stage, Work};
use crate::report::Events;
use crate::snapshot::{self, Manifest, Verified};
use crate::versions;

/// What is added to the revision of a snapshot: more than any cluster writes between a snapshot and its restore.
pub const REVISION_BUMP: u64 = 1_000_000_000;

/// A snapshot that is about to be restored.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The file.
    pub path: &'a Path,
    /// What it was named.
    pub name: &'a str,
    /// What was found in it.
    pub whole: Verified,
    /// What is written beside it, if anything.
    pub manifest: Option<Manifest>,
}

/// What a restore is about to do, as data: shown before anybody is asked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePreview {
    /// The snapshot, in words.
    pub snapshot: String,
    /// Revision in it.
    pub revision: u64,
    /// Revision of the cluster now, where a member tells.
    pub revision_now: Option<u64>,
    /// Members that get it.
    pub members: Vec<HostName>,
    /// Masters whose API servers stand still meanwhile.
    pub masters: Vec<HostName>,
    /// What to know before saying yes.
    pub warnings: Vec<String>,
}

/// How a restore ended, if not by a failure.
#[derive(Debug)]
pub enum Restored {
    /// All of it is done.
    Done(Duration),
    /// The operator said no; nothing was changed.
    Declined,
}

/// What to do.
pub enum Wish<'a> {
    /// Restore this snapshot.
    From(Box<Source<'a>>),
    /// Go on with the restore that was cut off.
    Resume,
    /// Put back what was there before the restore that was cut off, or else before the last one.
    Undo,
}

/// Does what `wish` says, once `confirm` agrees.
pub async fn restore(
    subject: &Subject<'_>,
    wish: &Wish<'_>,
    confirm: &(dyn Fn(&RestorePreview) -> bool + Sync),
    events: &Events,
) -> Result<Restored, RunError> {
    let began = Instant::now();
    let cluster = subject.cluster;
    let fleet = &connect(subject, events).await?;
    lock::take(fleet, "etcd restore").await?;
    let survey = &Survey::take(subject, fleet, Renewal::Due).await?;
    checkpoint::pass("surveyed");
    let api = &ApiAccess::new(cluster, fleet, &survey.keys);
    let known = Known::ask(fleet).await?;
    let mut warnings = None;
    let (list, restore, file) = match wish {
        Wish::From(source) => {
            survey.refuse_restoring("restore")?;
            warnings = same_cluster(subject, survey, source, api).await?;
            (plan::restore(), new(cluster, source), Some(source.path))
        }
        Wish::Resume => (plan::resume(), known.under_way()?, None),
        Wish::Undo => (plan::undo(), known.to_undo()?, None),
    };
    let views = etcd::views(fleet, |_| true).await.ok;
    let job = Job {
        restore,
        file,
        bump: bump(cluster, survey),
        served: views.values().map(|view| view.revision).max(),
        goes_back: matches!(wish, Wish::Undo),
        warning: warnings,
    };
    if !confirm(&job.preview(cluster)) {
        return Ok(Restored::Declined);
    }
    let execution = Execution::of(subject, fleet, survey, api, events);
    job.run(&execution, &list).await.map_err(RunError::Failed)?;
    Ok(Restored::Done(began.elapsed()))
}

/// The restores that hosts know of.
struct Known {
    under_way: BTreeMap<HostName, Restore>,
    last: BTreeMap<HostName, Restore>,
}

impl Known {
    async fn ask(fleet: &Fleet) -> Result<Self, RunError> {
        let what = "look for restores";
        let ask = async |member: &Member| match member.ask(what, ToAgent::Restores).await? {
            Reply::Restores { under_way, last } => Ok((under_way, last)),
            other => Err(unexpected(what, &other)),
        };
        let all = fleet.each(|_| true, ask).await.all().map_err(RunError::Failed)?;
        let mut known = Self { under_way: BTreeMap::new(), last: BTreeMap::new() };
        for (host, (under_way, last)) in all {
            known.under_way.extend(under_way.map(|restore| (host.clone(), restore)));
            known.last.extend(last.map(|restore| (host.clone(), restore)));
        }
        Ok(known)
    }

    fn under_way(&self) -> Result<Restore, HostFailure> {
        let what = "go on with a restore";
        one(what, &self.under_way)?
            .ok_or_else(|| HostFailure::cluster(what, "none was begun that has not ended").hint(BEGIN))
    }

    fn to_undo(&self) -> Result<Restore, HostFailure> {
        let what = "take a restore back";
        if let Some(restore) = one(what, &self.under_way)? {
            return Ok(restore);
        }
        one(what, &self.last)?
            .ok_or_else(|| HostFailure::cluster(what, "no host has anything left of a restore").hint(NOTHING))
    }
}

const BEGIN: &str = "name a snapshot to begin one: `kubewright etcd restore FILE`";
const NOTHING: &str = "there is nothing to take back";

/// The one restore that hosts know of, if any.
fn one(what: &str, known: &BTreeMap<HostName, Restore>) -> Result<Option<Restore>, HostFailure> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (host, restore) in known {
        found.entry(restore.id.as_str()).or_default().push(host.as_str());
    }
    if found.len() > 1 {
        let groups: Vec<_> = found.iter().map(|(id, hosts)| format!("{id} on {}", hosts.join(", "))).collect();
        return Err(HostFailure::cluster(what, format!("hosts know of different ones: {}", groups.join("; "))));
    }
    Ok(known.values().next().cloned())
}

fn new(cluster: &Cluster, source: &Source<'_>) -> Restore {
    let whole = &source.whole;
    let taken = source.manifest.as_ref().map(|manifest| {
        let origin = &manifest.origin;
        format!("taken {} from {} of {}, ", origin.taken.strftime("%Y-%m-%d %H:%M:%SZ"), origin.member, origin.cluster)
    });
    Restore {
        id: Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string(),
        snapshot: Blob { sha256: whole.sha256.clone(), size: whole.bytes },
        title: format!("{}, {}revision {}", source.name, taken.unwrap_or_default(), whole.contents.revision),
        revision: whole.contents.revision,
        initial_cluster: desired::etcd_initial_cluster(cluster),
    }
}

/// A snapshot of another cluster would take this one's place: its nodes and its certificates do not fit. One that was
/// installed anew with the keys that it always had is the same cluster; that is returned as a warning.
async fn same_cluster(
    subject: &Subject<'_>,
    survey: &Survey,
    source: &Source<'_>,
    api: &ApiAccess<'_>,
) -> Result<Option<String>, HostFailure> {
    let refuse = |why: String| {
        let hint = "nothing was changed; give a snapshot of this cluster";
        Err(HostFailure::cluster(format!("restore {}", source.name), why).hint(hint))
    };
    let cluster = subject.cluster.name.as_str();
    if let Some(manifest) = source.manifest.as_ref().filter(|manifest| manifest.origin.cluster != cluster) {
        return refuse(format!("it is of the cluster {}, and this one is {cluster}", manifest.origin.cluster));
    }
    let Some(theirs) = &source.whole.contents.kubernetes_uid else { return Ok(None) };
    let same_keys = source.manifest.as_ref().and_then(|manifest| manifest.origin.ca.as_deref());
    let same_keys = same_keys == Some(snapshot::fingerprint(&survey.keys.etcd_ca).as_str());
    // Where no API answers, that is why there is something to restore.
    match api.call("look at the namespace kube-system", async |api| api.cluster_uid().await).await {
        Ok(Some(ours)) if ours != *theirs && same_keys => Ok(Some(
            "this cluster was installed anew since the snapshot, with the same keys: what it has now goes, nodes that the \
             snapshot has and the inventory has not stay NotReady until they are deleted"
                .to_owned(),
        )),
        Ok(Some(ours)) if ours != *theirs => {
            refuse(format!("its namespace kube-system has the UID {theirs}, and this cluster's has {ours}"))
        }
        _ => Ok(None),
    }
}

/// What may be added to the revision: every member's own tool must know how.
fn bump(cluster: &Cluster, survey: &Survey) -> u64 {
    let knows = |host: &Host| {
        let version = survey.facts.get(&host.name).and_then(|facts| facts.versions.get("etcd"));
        version.and_then(|version| version.parse::<Version>().ok()).is_some_and(versions::etcd::can_bump_revision)
    };
    if cluster.with_role(Role::Etcd).all(knows) { REVISION_BUMP } else { 0 }
}

struct Job<'a> {
    restore: Restore,
    file: Option<&'a Path>,
    bump: u64,
    /// The latest revision that a member has served before.
    served: Option<u64>,
    goes_back: bool,
    /// What is odd about the snapshot, and no reason to refuse it.
    warning: Option<String>,
}

impl Job<'_> {
    fn preview(&self, cluster: &Cluster) -> RestorePreview {
        let names = |role| cluster.with_role(role).map(|host| host.name.clone()).collect();
        let mut warnings: Vec<String> = self.warning.iter().cloned().collect();
        if self.bump == 0 && !self.goes_back {
            warnings.push(
                "this etcd cannot raise the revision of a restored snapshot (3.4.27, 3.5.10 and later can): the control \
                 plane and kubelets are restarted, but other clients with open watches, such as kube-proxy and operators, \
                 have to be restarted by hand"
                    .to_owned(),
            );
        }
        if self.goes_back {
            warnings.push("everything that was written since the restore is lost".to_owned());
        }
        RestorePreview {
            snapshot: self.restore.title.clone(),
            revision: self.restore.revision,
            revision_now: self.served,
            members: names(Role::Etcd),
            masters: names(Role::ControlPlane),
            warnings,
        }
    }

    /// One step after the other; the first that fails ends it, and `--resume` goes on there.
    async fn run(&self, run: &Execution<'_>, list: &[RestoreStage]) -> Result<(), Vec<HostFailure>> {
        let mut touched = false;
        for stage in list {
            touched |= stage.work == RestoreWork::StopControlPlane;
            let selected = run.cluster.hosts.iter().filter(|host| stage.hosts.selects(host));
            let hosts = selected.map(|host| host.name.to_string()).collect();
            let work =
                async { self.stage(run, stage).await.map_or_else(|failures| (0, failures), |done| (done, vec![])) };
            let (_, failures) = run.told(stage.name, hosts, work).await;
            if !failures.is_empty() {
                return Err(with_next_step(failures, touched));
            }
        }
        Ok(())
    }

    async fn stage(&self, run: &Execution<'_>, stage: &RestoreStage) -> Result<usize, Vec<HostFailure>> {
        let changed = match stage.work {
            RestoreWork::Send => self.send(run, stage.name).await?,
            RestoreWork::Compare => self.compare(run).await.map(|()| 0)?,
            _ => self.on_hosts(run, stage).await?,
        };
        if let Some(wanted) = stage.gate {
            let (name, work, pace) = (stage.name, Work::Prove, Pace::Together);
            let proof = Stage {
                name,
                after: &[],
                hosts: stage.hosts,
                work,
                pace,
                gate: stage.gate,
                on_failure: OnFailure::Stop,
            };
            gate::wait(run, &proof, wanted, &[], &[]).await?;
        }
        Ok(changed)
    }

    /// What the hosts do themselves; returns how many did.
    async fn on_hosts(&self, run: &Execution<'_>, stage: &RestoreStage) -> Result<usize, Vec<HostFailure>> {
        let ask = async |member: &Member| {
            let Some(step) = self.step(stage.work, &member.host) else { return Ok(0) };
            let restore = self.restore.clone();
            let what = step.to_string();
            match member.ask(&what, ToAgent::Restore { restore, step }).await? {
                Reply::Done => Ok(1),
                other => Err(unexpected(&what, &other)),
            }
        };
        run.fleet.each(|host| stage.hosts.selects(host), ask).await.all().map(|done| done.values().sum())
    }

    /// What `host` itself does for `work`, if anything.
    fn step(&self, work: RestoreWork, host: &Host) -> Option<RestoreStep> {
        Some(match work {
            RestoreWork::Unpack => RestoreStep::Unpack(RestoredMember {
                name: host.name.to_string(),
                peer_url: desired::etcd_peer_url(host),
                bump_revision: self.bump,
            }),
            RestoreWork::StopControlPlane => RestoreStep::StopControlPlane,
            RestoreWork::Swap => RestoreStep::Swap,
            RestoreWork::SwapBack => RestoreStep::SwapBack,
            RestoreWork::StartEtcd => RestoreStep::StartEtcd,
            RestoreWork::StartControlPlane => RestoreStep::StartControlPlane,
            RestoreWork::RestartKubelets => RestoreStep::RestartKubelet,
            RestoreWork::Finish => RestoreStep::Finish,
            RestoreWork::Send | RestoreWork::Compare | RestoreWork::Prove => return None,
        })
    }

    async fn send(&self, run: &Execution<'_>, stage: &str) -> Result<usize, Vec<HostFailure>> {
        let Some(file) = self.file else { return Ok(0) };
        let needs = run.cluster.with_role(Role::Etcd);
        let needs = needs.map(|host| (host.name.clone(), BTreeSet::from([self.restore.snapshot.clone()]))).collect();
        // No registry has it.
        let settings = Distribution { mode: DistributionMode::Push, ..run.cluster.distribution.clone() };
        let job = distribute::Job {
            fleet: run.fleet,
            blob_path: &|_| file.to_path_buf(),
            settings: &settings,
            registry: None,
            stage,
            events: run.events,
        };
        job.run(&needs).await.all().map(|sent| sent.values().sum())
    }

    async fn compare(&self, run: &Execution<'_>) -> Result<(), Vec<HostFailure>> {
        let mut wrong = etcd::differing(run.fleet).await;
        let least = if self.goes_back { 0 } else { self.restore.revision + self.bump };
        for (host, view) in etcd::views(run.fleet, |_| true).await.ok {
            if view.revision < least {
                wrong.push(format!("{host} is at revision {}, and {least} at least is wanted", view.revision));
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.iter().map(|why| HostFailure::cluster("compare the restored members", why)).collect()),
        }
    }
}

fn with_next_step(failures: Vec<HostFailure>, touched: bool) -> Vec<HostFailure> {
    let next = if touched {
        "the restore has not ended: `kubewright etcd restore --resume` goes on, `--undo` puts the old data back"
    } else {
        "nothing that runs was touched"
    };
    let with = |failure: HostFailure| {
        let hint = failure.failure.hint.as_ref().map_or_else(|| next.to_owned(), |hint| format!("{hint}; {next}"));
        HostFailure { failure: Failure { hint: Some(hint), ..failure.failure }, ..failure }
    };
    failures.into_iter().map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_agree_on_one_restore() {
        let restore = |id: &str| Restore {
            id: id.into(),
            snapshot: Blob { sha256: "a".into(), size: 1 },
            title: "t".into(),
            revision: 1,
            initial_cluster: String::new(),
        };
        let known = |ids: &[(&str, &str)]| {
            ids.iter().map(|(host, id)| (HostName::parse(host).unwrap(), restore(id))).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(one("x", &known(&[])).unwrap(), None);
        assert_eq!(one("x", &known(&[("m1", "a"), ("m2", "a")])).unwrap(), Some(restore("a")));
        let error = one("x", &known(&[("m1", "a"), ("m2", "b")])).unwrap_err().to_string();
        assert!(error.contains("a on m1; b on m2"), "{error}");
        let both = Known { under_way: known(&[("m1", "b")]), last: known(&[("m1", "a")]) };
        assert_eq!(both.to_undo().unwrap().id, "b");
        let none = Known { under_way: known(&[]), last: known(&[]) };
        assert!(none.under_way().is_err() && none.to_undo().is_err());
    }

    #[test]
    fn what_to_do_next_depends_on_what_was_touched() {
        let failed = || vec![HostFailure::cluster("unpack", "no room").hint("free some space")];
        assert!(
            with_next_step(failed(), false)[0].to_string().contains("free some space; nothing that runs was touched")
        );
        assert!(with_next_step(failed(), true)[0].to_string().contains("--resume"));
    }
}
