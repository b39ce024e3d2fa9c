//! Container images of ours in containerd: those with the label that says from which blob they came.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::net::UnixStream;

use super::super::super::containerd::{Catalogue, Image};
use super::super::super::machine::Machine;
use super::super::super::protocol::{Action, Failure};
use super::super::Pending;
use super::super::images::{LABEL, SOCKET};
use super::uses::Uses;
use super::{Version, staying, surplus};
use crate::desired::state::Retained;

/// containerd's own further names of an image have this label.
const MANAGED: (&str, &str) = ("io.cri-containerd.image", "managed");

/// What goes; `None` while containerd does not run. The blobs of what stays are added to `kept`.
pub(super) fn observe<'a>(
    retained: &Retained,
    others: usize,
    uses: &Uses<'_>,
    machine: &Machine,
    kept: &mut BTreeSet<String>,
) -> Result<Option<Vec<Pending<'a>>>, Failure> {
    let socket = machine.root.at(SOCKET);
    match UnixStream::connect(&socket) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            // A host that needs no image has no containerd of ours.
            return Ok(retained.references.is_empty().then(Vec::new));
        }
        Err(error) => return Err(Failure::new(format!("old images: connecting to {SOCKET}"), error)),
    }
    let catalogue = machine.system.image_catalogue(&socket);
    let catalogue =
        catalogue.map_err(|error| Failure::new("old images: asking containerd for them", error).hint(HINT))?;
    let mut pending = Vec::new();
    let (stay, gone) = choose(retained, others, uses, &catalogue)?;
    kept.extend(stay.iter().filter_map(|image| image.labels.get(LABEL).cloned()));
    for image in &gone {
        let title = format!("old image {}", image.name);
        let names = names(image, &gone, &catalogue);
        let summary = format!("removed from containerd: {}", staying(others));
        pending.push(Pending::new(title.clone(), Action::Remove, summary, move |cx| {
            for name in &names {
                let removed = cx.machine.system.remove_image(&cx.machine.root.at(SOCKET), name);
                match removed {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Failure::new(format!("{title}: removing {name}"), error).hint(HINT));
                    }
                    _ => {}
                }
            }
            Ok(())
        }));
    }
    Ok(Some(pending))
}

const HINT: &str = "see journalctl -u containerd.service on the host";

/// Those of ours that stay, and those that go.
fn choose<'c>(
    retained: &Retained,
    others: usize,
    uses: &Uses<'_>,
    catalogue: &'c Catalogue,
) -> Result<(Vec<&'c Image>, Vec<&'c Image>), Failure> {
    let running = catalogue.running();
    let ours = catalogue.images.iter().filter(|image| image.labels.contains_key(LABEL));
    let (mut stay, unwanted): (Vec<_>, Vec<_>) = ours.partition(|image| retained.references.contains(&image.name));
    let mut repositories: BTreeMap<&str, Vec<Version<&Image>>> = BTreeMap::new();
    for image in unwanted {
        let used = running.contains(image.digest.as_str()) || uses.mention(&image.name)?;
        let version = Version { what: image, came: image.updated, used };
        repositories.entry(repository(&image.name)).or_default().push(version);
    }
    let mut gone = Vec::new();
    for versions in repositories.into_values() {
        let (kept, surplus) = surplus(versions, others);
        stay.extend(kept);
        gone.extend(surplus);
    }
    Ok((stay, gone))
}

/// The name of `image`, and containerd's own names of it where no other one is left that needs them.
fn names(image: &Image, gone: &[&Image], catalogue: &Catalogue) -> Vec<String> {
    let is_gone = |one: &Image| gone.iter().any(|gone| gone.name == one.name);
    let is_managed = |one: &Image| {
        let bare = one.name.starts_with("sha256:") || one.name.contains("@sha256:");
        bare && one.labels.get(MANAGED.0).is_some_and(|value| value == MANAGED.1)
    };
    let same = || catalogue.images.iter().filter(|one| one.digest == image.digest);
    let mut names = vec![image.name.clone()];
    if same().all(|one| is_gone(one) || is_managed(one)) {
        names.extend(same().filter(|one| is_managed(one) && !is_gone(one)).map(|one| one.name.clone()));
    }
    names
}

/// `registry.k8s.io/pause` of `registry.k8s.io/pause:3.2@sha256:…`.
fn repository(reference: &str) -> &str {
    let plain = reference.split('@').next().unwrap_or(reference);
    match plain.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => plain,
    }
}
