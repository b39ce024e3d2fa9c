//! Directories of components: `/opt/kubewright/NAME/VERSION`, known by the marker in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::super::super::atomic;
use super::super::super::machine::{Machine, found};
use super::super::super::protocol::{Action, Failure};
use super::super::Pending;
use super::super::component::{MARKER, unpacked_from};
use super::uses::Uses;
use super::{Version, staying, surplus};
use crate::desired::state::Retained;

const DIRECTORY: &str = "/opt/kubewright";

/// What goes. The blobs of what stays are added to `kept`.
pub(super) fn observe<'a>(
    retained: &Retained,
    others: usize,
    uses: &Uses<'_>,
    machine: &Machine,
    kept: &mut BTreeSet<String>,
) -> Result<Vec<Pending<'a>>, Failure> {
    let mut pending = Vec::new();
    for (name, versions) in unwanted(retained, uses, machine)? {
        let (stay, gone) = surplus(versions, others);
        for version in stay {
            kept.extend(unpacked_from(machine, &format!("{DIRECTORY}/{name}/{version}"))?);
        }
        for version in gone {
            let directory = format!("{DIRECTORY}/{name}/{version}");
            let title = format!("old component {name} {version}");
            let summary = format!("removed: {}", staying(others));
            pending.push(Pending::new(title.clone(), Action::Remove, summary, move |cx| {
                remove(&cx.machine.root.at(&directory)).map_err(|error| Failure::new(&title, error))
            }));
        }
    }
    Ok(pending)
}

/// Versions that the image does not have, by component. A directory without a marker is not ours.
fn unwanted(
    retained: &Retained,
    uses: &Uses<'_>,
    machine: &Machine,
) -> Result<BTreeMap<String, Vec<Version<String>>>, Failure> {
    let mut versions: BTreeMap<String, Vec<Version<String>>> = BTreeMap::new();
    for name in machine.names(DIRECTORY)? {
        for version in machine.names(&format!("{DIRECTORY}/{name}"))? {
            let directory = format!("{DIRECTORY}/{name}/{version}");
            if atomic::is_ours(&version) || retained.directories.contains(&directory) {
                continue;
            }
            let marker = found(fs::symlink_metadata(machine.root.at(format!("{directory}/{MARKER}"))));
            let marker = marker.map_err(|error| Failure::new(format!("looking at {directory}"), error))?;
            if let Some(marker) = marker {
                let came = marker.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let used = uses.mention(&directory)?;
                versions.entry(name.clone()).or_default().push(Version { what: version, came, used });
            }
        }
    }
    Ok(versions)
}

/// Renamed first: a run that is killed half-way must not leave half a version that looks whole.
fn remove(directory: &Path) -> std::io::Result<()> {
    let beside = atomic::beside(directory)?;
    fs::rename(directory, &beside)?;
    fs::remove_dir_all(&beside)?;
    if let Some(parent) = directory.parent() {
        // Where this was the last version.
        let _ = fs::remove_dir(parent);
    }
    Ok(())
}
