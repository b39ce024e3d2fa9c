//! The rules for specs that their shape alone does not enforce. All that are broken are reported.

mod inputs;
mod plugins;

use std::collections::BTreeSet;

use super::{ComponentSpec, SpecFile};
use inputs::image_problems;
pub(super) use inputs::source_problems;
use plugins::plugin_problems;

/// What is wrong with `spec`, and where.
pub(super) fn check(spec: &SpecFile) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_component_name(&spec.name) {
        problems.push(format!("name: {:?} {NAME}", spec.name));
    }
    if spec.architectures.is_empty() {
        problems.push("architectures: there are none".to_owned());
    }
    if spec.components.is_empty() {
        problems.push("components: there are none".to_owned());
    }
    let (mut names, mut references) = (BTreeSet::new(), BTreeSet::new());
    for (index, component) in spec.components.iter().enumerate() {
        let mut found = component_problems(component, spec);
        if !names.insert(&component.name) {
            found.push(format!("name: {:?} is taken by another component", component.name));
        }
        for image in &component.images {
            let name = image.name(&component.version);
            if !references.insert(name.clone()) {
                found.push(format!("images: {name} is there twice"));
            }
        }
        problems.extend(found.into_iter().map(|what| format!("components[{index}] ({}): {what}", component.name)));
    }
    problems.extend(plugin_problems(spec));
    problems
}

/// Name of the component that is kubewright itself.
pub(in crate::image) const PROGRAM: &str = "kubewright";
const NAME: &str = "may only have a-z, 0-9 and '-', and must start with a letter";

fn component_problems(component: &ComponentSpec, spec: &SpecFile) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_component_name(&component.name) {
        problems.push(format!("name: {:?} {NAME}", component.name));
    } else if component.name == PROGRAM {
        problems.push(format!("name: {PROGRAM:?} is the program in the image itself; see `program` in the spec"));
    } else if component.name == "images" {
        problems.push("name: \"images\" is the directory of all image archives".to_owned());
    }
    if !is_path_version(&component.version) {
        problems.push(format!(
            "version: {:?} may only have letters, digits, '.', '_', '+' and '-', and must start with a letter or digit",
            component.version
        ));
    }
    match (component.roles.is_empty(), component.manifests.is_empty() && component.charts.is_empty()) {
        (true, true) => problems.push("roles: there are none, so that no host would get it".to_owned()),
        (false, false) => problems.push("roles: no host gets manifests; leave them out".to_owned()),
        _ => {}
    }
    let given = [
        ("files", !component.files.is_empty()),
        ("images", !component.images.is_empty()),
        ("manifests", !component.manifests.is_empty() || !component.charts.is_empty()),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(kind, _)| kind).collect();
    match given.as_slice() {
        [] => problems.push("it has neither files nor images nor manifests".to_owned()),
        [_] => {}
        kinds => problems.push(format!("it has {}; make a component of each", kinds.join(" and "))),
    }
    let found_in = |source| source_problems(source, &component.version, &spec.architectures).into_iter();
    for (index, source) in component.files.iter().enumerate() {
        problems.extend(found_in(source).map(|what| format!("files[{index}]: {what}")));
    }
    for (index, source) in component.manifests.iter().enumerate() {
        problems.extend(found_in(source).map(|what| format!("manifests[{index}]: {what}")));
    }
    for chart in &component.charts {
        let found = chart.problems(&component.version, &spec.architectures).into_iter();
        problems.extend(found.map(|what| format!("charts ({}): {what}", chart.release)));
    }
    for (name, sources) in &component.layers {
        if sources.is_empty() {
            problems.push(format!("layers.{name}: is empty"));
        }
        if !component.images.iter().any(|image| image.layers.contains(name)) {
            problems.push(format!("layers.{name}: no image uses it"));
        }
        for (index, source) in sources.iter().enumerate() {
            problems.extend(found_in(source).map(|what| format!("layers.{name}[{index}]: {what}")));
        }
    }
    for image in &component.images {
        let found = image_problems(image, component, &spec.architectures).into_iter();
        problems.extend(found.map(|what| format!("images ({}): {what}", image.name(&component.version))));
    }
    problems
}

/// Whether `text` may name a component: it becomes a directory on hosts.
pub(in crate::image) fn is_component_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 63
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether `text` may be the version of a component: it becomes a directory on hosts.
pub(in crate::image) fn is_path_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-'))
}

#[cfg(test)]
mod tests;
