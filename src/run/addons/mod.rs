//! Add-ons: removed when the inventory has them no longer, then applied in their order, each once those that it comes after
//! run. One that fails keeps only those from being applied that come after it.

mod check;
mod files;

use std::collections::BTreeSet;
use std::time::Duration;

use super::api::{ApiAccess, change, tell};
use super::execution::Execution;
use super::failure::HostFailure;
use super::wait::Wait;
use crate::cluster::addons::{DNS_AUTOSCALER, NODE_LOCAL_DNS};
use crate::desired::AddonObjects;
use crate::host::protocol::Change;
use crate::kube::{Addon, AddonChanges, Api, KubeError, Pruning, Roster};
use crate::plan::Stage;
use crate::report::Events;

pub(super) use check::foreign_images;
pub use check::{AddonFault, AddonsChecked, check as check_addons};
pub(super) use files::manifests;

/// How long the workloads of add-ons may take before those that come after them are applied.
const LIMIT: Duration = Duration::from_secs(600);
/// Our own come before those of the inventory.
const OWN: [&str; 2] = [NODE_LOCAL_DNS, DNS_AUTOSCALER];

impl Execution<'_> {
    /// Removes the add-ons that nobody wants any more, and brings every other about. All failures are told at the end.
    pub(super) async fn apply_addons(&self, stage: &Stage) -> Result<usize, Vec<HostFailure>> {
        let groups = &self.survey.addons;
        let roster = roster(groups);
        let (mut changed, mut failures) = (0, Vec::new());
        let mut count = |name: &str, result: Result<AddonChanges, Vec<HostFailure>>| match result {
            Ok(done) => {
                changed += tell_addon(name, &done, stage.name, self.events);
                Ok(())
            }
            Err(failed) => Err(failed),
        };
        // First: a webhook of theirs may refuse what comes.
        for name in self.api.unwanted_addons(groups).await? {
            let remove = async |api: &Api| api.remove_addon(&name, &roster, self.pruning).await;
            let done = self.api.call(&format!("remove the add-on {name}"), remove).await;
            failures.extend(count(&name, done).err().into_iter().flatten());
        }
        let mut failed: BTreeSet<&str> = BTreeSet::new();
        for (index, group) in groups.iter().enumerate() {
            for addon in group {
                let what = format!("apply the add-on {}", addon.name);
                if let Some(first) = addon.after.iter().find(|first| failed.contains(first.as_str())) {
                    failed.insert(&addon.name);
                    failures
                        .push(HostFailure::cluster(what, format!("not tried: {first}, which it comes after, failed")));
                    continue;
                }
                let wanted = of(addon);
                let apply = async |api: &Api| api.apply_addon(&wanted, &roster, self.pruning).await;
                if let Err(why) = count(&addon.name, self.api.call(&what, apply).await) {
                    failed.insert(&addon.name);
                    failures.extend(why);
                }
            }
            let awaited = awaited(group, &groups[index + 1..], &failed);
            if let Err(why) = self.wait_for(stage, &awaited).await {
                failures.extend(why);
                for addon in group.iter().filter(|addon| awaited.contains(addon)) {
                    if !self.api.addons_missing(&[std::slice::from_ref(addon)]).await.is_empty() {
                        failed.insert(&addon.name);
                    }
                }
            }
        }
        if failures.is_empty() { Ok(changed) } else { Err(failures) }
    }

    async fn wait_for(&self, stage: &Stage, awaited: &[AddonObjects]) -> Result<(), Vec<HostFailure>> {
        if awaited.is_empty() {
            return Ok(());
        }
        let wait = Wait {
            stage: stage.name,
            what: "add-ons that others come after",
            limit: LIMIT,
            hint: "`kubectl describe` and `kubectl logs` of what is named say why; then run the same command again",
            fleet: self.fleet,
            events: self.events,
        };
        wait.until(async || Ok(self.api.addons_missing(&[awaited]).await)).await
    }
}

/// Those of a group that have to run before a later one is applied.
fn awaited(group: &[AddonObjects], later: &[Vec<AddonObjects>], failed: &BTreeSet<&str>) -> Vec<AddonObjects> {
    let comes_first = |addon: &&AddonObjects| {
        let name = addon.name.as_str();
        let is_own = OWN.contains(&name) && !later.is_empty();
        !failed.contains(name) && (is_own || later.iter().flatten().any(|other| other.after.contains(name)))
    };
    group.iter().filter(comes_first).cloned().collect()
}

impl ApiAccess<'_> {
    /// What applying the add-ons would change, and what there is to tell of them.
    pub(super) async fn pending_addons(
        &self,
        groups: &[Vec<AddonObjects>],
        pruning: Pruning,
    ) -> Result<(Vec<Change>, Vec<String>), Vec<HostFailure>> {
        let (mut changes, mut told, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        let roster = roster(groups);
        let unwanted = self.unwanted_addons(groups).await?;
        let gone = unwanted.into_iter().map(|name| Addon { name, namespace: String::new(), objects: Vec::new() });
        for addon in gone.chain(groups.iter().flatten().map(of)) {
            let compare = async |api: &Api| api.diff_addon(&addon, &roster, pruning).await;
            match self.call(&format!("compare the add-on {}", addon.name), compare).await {
                Ok(found) => {
                    changes.extend(found.changes.iter().map(change));
                    told.extend(notes(&addon.name, &found));
                }
                Err(why) => failures.extend(why),
            }
        }
        if failures.is_empty() { Ok((changes, told)) } else { Err(failures) }
    }

    /// Add-ons that were applied and are not among `groups`.
    async fn unwanted_addons(&self, groups: &[Vec<AddonObjects>]) -> Result<Vec<String>, Vec<HostFailure>> {
        let wanted: BTreeSet<&str> = groups.iter().flatten().map(|addon| addon.name.as_str()).collect();
        let applied = self.call("look for add-ons", async |api| api.addons().await).await?;
        Ok(applied.into_iter().filter(|name| !wanted.contains(name.as_str())).collect())
    }

    /// Workloads of add-ons that are not rolled out.
    pub(super) async fn addons_missing<G: AsRef<[AddonObjects]>>(&self, groups: &[G]) -> Vec<String> {
        let nodes = self.node_names();
        let mut missing = Vec::new();
        for addon in groups.iter().flat_map(AsRef::as_ref).map(of) {
            let look = async |api: &Api| -> Result<Vec<String>, KubeError> { api.addon_missing(&addon, &nodes).await };
            match self.call(&format!("look at the add-on {}", addon.name), look).await {
                Ok(found) => missing.extend(found),
                Err(failures) => missing.extend(failures.iter().map(ToString::to_string)),
            }
        }
        missing
    }
}

fn of(addon: &AddonObjects) -> Addon {
    let AddonObjects { name, namespace, objects, .. } = addon.clone();
    Addon { name, namespace, objects }
}

fn roster(groups: &[Vec<AddonObjects>]) -> Roster {
    let addons: Vec<Addon> = groups.iter().flatten().map(of).collect();
    Roster::of(&addons)
}

fn tell_addon(name: &str, done: &AddonChanges, stage: &str, events: &Events) -> usize {
    notes(name, done).into_iter().for_each(|note| events.note(note));
    tell(&done.changes, stage, events)
}

fn notes(name: &str, done: &AddonChanges) -> Vec<String> {
    let note = |id: &String| {
        format!(
            "{id} is no longer part of the add-on {name} and is left for the data in it; `--prune everything` removes it"
        )
    };
    done.left.iter().map(note).chain(done.notes.iter().map(|note| format!("add-on {name}: {note}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_come_after_is_waited_for() {
        let addon = |name: &str, after: &[&str]| AddonObjects {
            name: name.into(),
            namespace: "default".into(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            objects: Vec::new(),
        };
        let (own, first, second) =
            (vec![addon(NODE_LOCAL_DNS, &[])], vec![addon("a", &[]), addon("b", &[])], vec![addon("c", &["a"])]);
        let names = |found: Vec<AddonObjects>| found.into_iter().map(|addon| addon.name).collect::<Vec<_>>();
        let later = [first.clone(), second.clone()];
        assert_eq!(names(awaited(&own, &later, &BTreeSet::new())), [NODE_LOCAL_DNS]);
        assert_eq!(names(awaited(&first, &later[1..], &BTreeSet::new())), ["a"]);
        assert!(awaited(&first, &later[1..], &["a"].into()).is_empty());
        assert!(awaited(&second, &[], &BTreeSet::new()).is_empty());
    }
}
