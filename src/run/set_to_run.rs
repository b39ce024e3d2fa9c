//! What a host will run once its state has been brought about: read from the very files that set it.

use std::collections::BTreeMap;

use super::execution::Execution;
use crate::cluster::{Host, Role};
use crate::desired::state::{File, HostState, Resource};
use crate::host::facts::versions;

const MANIFESTS: &str = "/etc/kubernetes/manifests/";

/// The version of `component` on `host`, where its state says one.
pub(super) fn version(run: &Execution<'_>, host: &Host, component: &str) -> Option<String> {
    let state = run.survey.states.get(&host.name)?;
    files(state).find_map(|file| versions::of_file(&file.path, &file.content).remove(component))
}

/// The versions that a state sets a host to run, by component.
pub(super) fn versions(state: &HostState) -> BTreeMap<String, String> {
    files(state).flat_map(|file| versions::of_file(&file.path, &file.content)).collect()
}

/// The images of the control plane's static pods, by component. Masters run the same ones.
pub(super) fn control_plane_images(run: &Execution<'_>) -> BTreeMap<String, String> {
    let masters = run.cluster.with_role(Role::ControlPlane);
    let states = masters.filter_map(|host| run.survey.states.get(&host.name));
    let image = |file: &File| {
        let name = file.path.strip_prefix(MANIFESTS)?.strip_suffix(".yaml")?;
        let line =
            file.content.lines().find_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("image:"));
        Some((name.to_owned(), line?.trim().trim_matches(['"', '\'']).to_owned()))
    };
    states.flat_map(files).filter_map(image).collect()
}

fn files(state: &HostState) -> impl Iterator<Item = &File> {
    state.parts.iter().flat_map(|part| &part.resources).filter_map(|resource| match resource {
        Resource::File(file) => Some(file),
        _ => None,
    })
}
