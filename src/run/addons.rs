//! Add-ons: applied in their order, each group once those before it run, and removed when the inventory has them no
//! longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::api::{ApiAccess, change, tell};
use super::execution::Execution;
use super::failure::HostFailure;
use super::wait::Wait;
use crate::cluster::{Addon as AddonNoun, AddonSource, Cluster};
use crate::desired::{self, AddonObjects};
use crate::host::protocol::Change;
use crate::image::{ManifestFile, OpenImage};
use crate::kube::{Addon, AddonChanges, Api, KubeError, Pruning};
use crate::plan::Stage;
use crate::report::Events;

/// How long the workloads of add-ons may take before those that come after them are applied.
const LIMIT: Duration = Duration::from_secs(600);
/// More than this is no list of objects.
const MOST: u64 = 64 << 20;
/// Files that count in a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

impl Execution<'_> {
    /// Brings every add-on about, and removes those that nobody wants any more.
    pub(super) async fn apply_addons(&self, stage: &Stage) -> Result<usize, Vec<HostFailure>> {
        let mut changed = 0;
        let groups = &self.survey.addons;
        for (index, group) in groups.iter().enumerate() {
            for addon in group {
                let addon = of(addon);
                let apply = async |api: &Api| api.apply_addon(&addon, self.pruning).await;
                let done = self.api.call(&format!("apply the add-on {}", addon.name), apply).await?;
                changed += tell_addon(&addon.name, &done, stage.name, self.events);
            }
            if index + 1 < groups.len() {
                self.wait_for(stage, group).await?;
            }
        }
        for name in self.api.unwanted_addons(groups).await? {
            let remove = async |api: &Api| api.remove_addon(&name, self.pruning).await;
            let done = self.api.call(&format!("remove the add-on {name}"), remove).await?;
            changed += tell_addon(&name, &done, stage.name, self.events);
        }
        Ok(changed)
    }

    async fn wait_for(&self, stage: &Stage, group: &[AddonObjects]) -> Result<(), Vec<HostFailure>> {
        let wait = Wait {
            stage: stage.name,
            what: "add-ons that others come after",
            limit: LIMIT,
            hint: "`kubectl describe` and `kubectl logs` of what is named say why; then run the same command again",
            fleet: self.fleet,
            events: self.events,
        };
        wait.until(async || Ok(self.api.addons_missing(std::slice::from_ref(&group)).await)).await
    }
}

impl ApiAccess<'_> {
    /// What applying the add-ons would change, and what of it is left for the data in it.
    pub(super) async fn pending_addons(
        &self,
        groups: &[Vec<AddonObjects>],
        pruning: Pruning,
    ) -> Result<(Vec<Change>, Vec<String>), Vec<HostFailure>> {
        let (mut changes, mut left) = (Vec::new(), Vec::new());
        let unwanted = self.unwanted_addons(groups).await?;
        let gone = unwanted.into_iter().map(|name| Addon { name, namespace: String::new(), objects: Vec::new() });
        for addon in groups.iter().flatten().map(of).chain(gone) {
            let compare = async |api: &Api| api.diff_addon(&addon, pruning).await;
            let found = self.call(&format!("compare the add-on {}", addon.name), compare).await?;
            changes.extend(found.changes.iter().map(change));
            left.extend(notes(&addon.name, &found));
        }
        Ok((changes, left))
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
    let AddonObjects { name, namespace, objects } = addon.clone();
    Addon { name, namespace, objects }
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
    done.left.iter().map(note).collect()
}

/// The texts of every add-on, by its name, and the kinds of a network plugin, by the name of their component.
pub(super) fn manifests(
    cluster: &Cluster,
    image: &OpenImage,
) -> (BTreeMap<String, Vec<ManifestFile>>, Vec<HostFailure>) {
    let (mut found, mut failures) = (BTreeMap::new(), Vec::new());
    let failure = |name: &str, why: String| HostFailure::cluster(format!("read the add-on {name}"), why);
    for AddonNoun { name, source, .. } in &cluster.addons {
        let files = match source {
            AddonSource::Path(path) => read(path).map_err(|error| format!("{}: {error}", path.display())),
            AddonSource::Image => image.manifests(name).map_err(|error| error.to_string()),
        };
        match files {
            Ok(files) => drop(found.insert(name.clone(), files)),
            Err(why) => failures.push(failure(name, why)),
        }
    }
    if cluster.network.calico().is_some() {
        match image.manifests(desired::CALICO_KINDS) {
            Ok(files) => drop(found.insert(desired::CALICO_KINDS.to_owned(), files)),
            Err(error) => failures.push(HostFailure::cluster("read the kinds of Calico", error)),
        }
    }
    (found, failures)
}

/// A file, or those of a directory and of all below it, in order of path.
fn read(path: &Path) -> std::io::Result<Vec<ManifestFile>> {
    let mut paths = Vec::new();
    if std::fs::metadata(path)?.is_dir() {
        list(path, &mut paths)?
    } else {
        paths.push(path.to_owned())
    }
    paths.sort();
    let mut left = MOST;
    let mut files = Vec::new();
    for path in paths {
        let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let size = std::fs::metadata(&path).map_err(named)?.len();
        left = left.checked_sub(size).ok_or_else(|| std::io::Error::other("more than 64 MiB of manifests"))?;
        let text = std::fs::read_to_string(&path).map_err(named)?;
        files.push(ManifestFile { path, text });
    }
    Ok(files)
}

fn list(directory: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match std::fs::metadata(&path)?.is_dir() {
            true => list(&path, paths)?,
            false if ENDINGS.contains(&ending) => paths.push(path),
            false => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_in_order_and_what_is_no_manifest_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("below")).unwrap();
        for name in ["b.yaml", "a.yml", "below/c.json", ".hidden.yaml", "README.md", "b.yaml.bak"] {
            std::fs::write(directory.path().join(name), name).unwrap();
        }
        let texts: Vec<String> = read(directory.path()).unwrap().into_iter().map(|file| file.text).collect();
        assert_eq!(texts, ["a.yml", "b.yaml", "below/c.json"]);
        assert_eq!(read(&directory.path().join("README.md")).unwrap().len(), 1);
        assert!(read(&directory.path().join("missing")).is_err());
    }
}
