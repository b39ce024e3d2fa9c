//! The static pods of the masters: as the API has them, and those that it has not heard of as they say themselves.

use std::collections::BTreeSet;

use super::super::execution::Execution;
use super::super::fleet::Member;
use super::super::set_to_run;
use crate::cluster::Host;
use crate::host::protocol::Probe;
use crate::kube::StaticPod;

/// What the pods on `masters` still lack. Where there was one before, the API tells whether it is the new one; where it
/// knows of none, there is nothing that the new one could be taken for, and a minute may pass until it does.
pub(super) async fn missing(run: &Execution<'_>, masters: &[&Host]) -> Vec<String> {
    // An API server has proven itself before, or will after: on the way back it changes after these.
    let is_controller = |name: &str| !name.starts_with("kube-apiserver");
    let mut images = set_to_run::control_plane_images(run);
    images.retain(|component, _| is_controller(component));
    let mut replaced = run.replaced.clone();
    replaced.retain(|pod, _| is_controller(pod));
    let gaps = match run.api.control_plane(masters, images, replaced).await {
        Ok(gaps) => gaps,
        Err(failures) => return failures.iter().map(ToString::to_string).collect(),
    };
    let (unreported, lacking): (Vec<_>, Vec<_>) = gaps.into_iter().partition(|gap| gap.pod == StaticPod::Unreported);
    let mut missing: Vec<String> = lacking.iter().map(ToString::to_string).collect();
    let components: BTreeSet<&str> = unreported.iter().map(|gap| gap.component).collect();
    for component in components {
        let on =
            |host: &Host| unreported.iter().any(|gap| gap.component == component && host.name.as_str() == gap.node);
        missing.extend(super::answering(run, component, on, |member| health(component, member)).await);
    }
    missing
}

/// Controller-managers and schedulers that do not say of themselves that they are well.
pub(super) async fn unwell(run: &Execution<'_>, counts: impl Fn(&Host) -> bool) -> Vec<String> {
    let mut unwell = Vec::new();
    for component in ["kube-controller-manager", "kube-scheduler"] {
        unwell.extend(super::answering(run, component, &counts, |member| health(component, member)).await);
    }
    unwell
}

/// What asks a component itself. Ports are those of its flags' defaults, which are never changed.
fn health(component: &str, member: &Member) -> Probe {
    match component {
        "kube-controller-manager" => Probe::Healthz { port: 10257 },
        "kube-scheduler" => Probe::Healthz { port: 10259 },
        _ => super::readyz(member),
    }
}
