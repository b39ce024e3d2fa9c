//! Runs the named checks of [`crate::plan::preflight`] on what was seen and tried, and verifies the blobs about to travel.

use std::collections::{BTreeMap, BTreeSet};

use super::addons::foreign_images;
use super::failure::{HostFailure, RunError, by_what};
use super::fleet::Fleet;
use super::subject::{Subject, connect};
use super::survey::Survey;
use super::{distribute, measure};
use crate::cluster::{Cluster, HostName};
use crate::image::{Blob, OpenImage};
use crate::pki::Renewal;
use crate::plan::preflight::{self, Finding, Measured, Severity, check};
use crate::report::Events;

/// Names of checks whose findings are warnings for this run.
pub type Ignored = BTreeSet<&'static str>;

/// Everything that the checks find, and nothing else: no host is changed.
pub async fn preflight(subject: &Subject<'_>, ignored: &Ignored, events: &Events) -> Result<Vec<Finding>, RunError> {
    let fleet = connect(subject, events).await?;
    let survey = Survey::take(subject, &fleet, Renewal::Due).await?;
    let measured = measure::measure(subject.cluster, &fleet, &survey).await?;
    Ok(findings(subject.cluster, subject.image, &survey, &measured, ignored))
}

/// Nothing was changed when this fails. Warnings become notes.
pub(super) async fn run(
    subject: &Subject<'_>,
    fleet: &Fleet,
    survey: &Survey,
    ignored: &Ignored,
    events: &Events,
) -> Result<(), RunError> {
    let (cluster, image) = (subject.cluster, subject.image);
    let changes = survey.changes.values().any(|parts| !parts.is_empty());
    // Where nothing is about to change, nothing depends on what could be tried.
    let measured = if changes { measure::measure(cluster, fleet, survey).await? } else { Measured::default() };
    let found = findings(cluster, image, survey, &measured, ignored);
    let told = found.into_iter().filter(|one| one.severity != Severity::Note);
    let (errors, warnings): (Vec<_>, Vec<_>) = told.partition(|one| one.severity == Severity::Error);
    if changes {
        told_once(&warnings).into_iter().for_each(|line| events.note(line));
    }
    if !errors.is_empty() {
        return Err(RunError::Preflight(errors));
    }
    verify(image, incoming(survey).into_values().flatten().collect()).await
}

/// Warnings in their order; what several hosts have in common is one line.
fn told_once(warnings: &[Finding]) -> Vec<String> {
    let said =
        warnings.iter().map(|finding| (finding.host.as_ref(), format!("{} [{}]", finding.message, finding.check)));
    by_what(said).into_iter().map(|(said, hosts)| format!("warning: {hosts}: {said}")).collect()
}

fn findings(
    cluster: &Cluster,
    image: &OpenImage,
    survey: &Survey,
    measured: &Measured,
    ignored: &Ignored,
) -> Vec<Finding> {
    let size = |(host, blobs): (HostName, BTreeSet<Blob>)| (host, blobs.iter().map(|blob| blob.size).sum());
    let incoming = incoming(survey).into_iter().map(size).collect();
    let subject = preflight::Subject {
        cluster,
        image: &image.manifest,
        facts: &survey.facts,
        states: &survey.states,
        incoming: &incoming,
        measured,
    };
    let mut findings = check(&subject, ignored);
    for HostFailure { host, failure } in &survey.unrenderable {
        // Without its address a host cannot be rendered, and that has been told.
        if !findings.iter().any(|finding| finding.check == "address" && finding.host == *host) {
            let usual = "correct the inventory, or use another cluster image";
            let hint = failure.hint.clone().unwrap_or_else(|| usual.to_owned());
            let (host, message) = (host.clone(), failure.to_string());
            findings.push(Finding { check: "files", severity: Severity::Error, host, message, hint });
        }
    }
    findings.extend(foreign_images(&survey.addons, image).into_iter().map(|message| Finding {
        check: "add-on-images",
        severity: Severity::Warning,
        host: None,
        message,
        hint: "put it into the spec of the cluster image, or see that every node reaches its registry".to_owned(),
    }));
    findings
}

/// Blobs that each host still has to receive.
fn incoming(survey: &Survey) -> BTreeMap<HostName, BTreeSet<Blob>> {
    let of = |(host, state): (&HostName, _)| {
        let changes = survey.changes.get(host).map_or(&[][..], Vec::as_slice);
        (host.clone(), distribute::needed(state, changes))
    };
    survey.states.iter().map(of).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_hosts_have_in_common_is_told_once() {
        let finding = |host: Option<String>, message: &str| Finding {
            check: "time",
            severity: Severity::Warning,
            host: host.map(|host| HostName::parse(&host).unwrap()),
            message: message.to_owned(),
            hint: String::new(),
        };
        let mut warnings: Vec<Finding> =
            (1..=7).map(|number| finding(Some(format!("n{number}")), "no keeper")).collect();
        warnings.push(finding(None, "alike"));
        warnings.push(finding(Some("n1".into()), "other"));
        insta::assert_snapshot!(told_once(&warnings).join("\n"), @"
        warning: n1, n2, n3, n4, n5, n6 and 1 more: no keeper [time]
        warning: cluster: alike [time]
        warning: n1: other [time]
        ");
    }
}
