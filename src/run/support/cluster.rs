//! What is known of the cluster as a whole: from this machine, and from looking at it as `status` and `plan` do.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::super::failure::HostFailure;
use super::super::fleet::Fleet;
use super::super::overview::{self, Overview};
use super::super::subject::Subject;
use super::Wanted;
use super::archive::Archive;
use crate::host::protocol::Change;
use crate::host::tail_of_file;
use crate::report::{self, KeptLog, Style};

/// How long looking may take. A host that hangs is told of with its own sources.
const LOOK: Duration = Duration::from_secs(150);
/// Logs of runs that change something.
const CHANGED: usize = 10;
/// Logs of runs that only look.
const LOOKED: usize = 3;

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
    match KeptLog::all(&subject.state.runs()) {
        Ok(logs) => {
            for log in chosen(logs, std::process::id()) {
                let place = format!("cluster/runs/{}", log.name());
                match tail_of_file(&log.path, wanted.bytes) {
                    Ok(text) => archive.add(place, text).await,
                    Err(error) => archive.lacks(place, error),
                }
            }
        }
        Err(error) => archive.lacks("cluster/runs/", error),
    }
}

/// Those of `logs`, the latest first, that tell most: a cron job that looks every minute must not hide the run that
/// failed. The log of this run, of the process `own`, tells nothing yet.
fn chosen(logs: Vec<KeptLog>, own: u32) -> impl Iterator<Item = KeptLog> {
    let others = logs.into_iter().filter(move |log| log.verb != "support" || log.process != Some(own));
    let (looked, changed): (Vec<_>, Vec<_>) = others.partition(KeptLog::only_looked);
    changed.into_iter().take(CHANGED).chain(looked.into_iter().take(LOOKED))
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
    let unknown: Vec<&String> =
        [&status.drift_unknown, &status.api_unknown, &status.other_versions].into_iter().flatten().collect();
    archive.add("cluster/plan.txt", plan(&unknown, changes)).await;
    for why in [&status.drift_unknown, &status.api_unknown].into_iter().flatten() {
        archive.lacks("cluster/plan.txt, in part", why);
    }
}

/// The plan, as far as it is known. That nothing is to be changed is said only where all of it is.
fn plan(unknown: &[&String], changes: &[(String, Vec<Change>)]) -> String {
    let told = |what: &str| unknown.iter().map(|why| format!("{what}: {why}\n")).collect::<String>();
    match (unknown, changes) {
        ([], _) => report::render_plan(changes, Style::Plain),
        (_, []) => told("The plan could not be made"),
        _ => format!("{}\n{}", told("Not all of it is known"), report::render_plan(changes, Style::Plain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::protocol::Action;

    #[test]
    fn a_plan_that_could_not_be_made_is_no_all_clear() {
        let why = "no host answers".to_owned();
        assert_eq!(plan(&[&why], &[]), "The plan could not be made: no host answers\n");
        assert!(plan(&[], &[]).starts_with("No changes."));
        let change =
            Change { resource: "file /a".to_owned(), action: Action::Create, summary: String::new(), diff: None };
        let partly = plan(&[&why], &[("m1".to_owned(), vec![change])]);
        assert!(partly.starts_with("Not all of it is known: no host answers\n\nm1\n"), "{partly}");
        assert!(!partly.contains("No changes"), "{partly}");
    }

    #[test]
    fn runs_that_look_do_not_push_out_the_one_that_failed() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: String| std::fs::write(directory.path().join(name), "").unwrap();
        write("20261129T0000Z-install-1.log".to_owned());
        (10..30).for_each(|minute| write(format!("20261129T01{minute}Z-status-1.log")));
        write("20261129T0200Z-support-7.log".to_owned());
        let names =
            || -> Vec<String> { chosen(KeptLog::all(directory.path()).unwrap(), 7).map(|log| log.name()).collect() };
        let looked = [29, 28, 27].map(|minute| format!("20261129T01{minute}Z-status-1.log"));
        assert_eq!(names(), [&["20261129T0000Z-install-1.log".to_owned()], &looked[..]].concat());
        (10..30).for_each(|minute| write(format!("20261129T03{minute}Z-upgrade-1.log")));
        let of = |verb: &str| names().iter().filter(|name| name.contains(verb)).count();
        assert_eq!((of("upgrade"), of("install"), of("status")), (CHANGED, 0, LOOKED));
    }
}
