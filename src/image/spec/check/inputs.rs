//! The rules for sources and container images of a component.

use std::collections::BTreeSet;

use super::super::source::{expand, expand_version, unknown_name};
use super::super::{ComponentSpec, ContainerImage, PerArchitecture, Source};
use crate::cluster::RegistryReference;
use crate::image::{Architecture, digest};

const NAMES: &[&str] = &["version", "arch"];

pub(in crate::image::spec) fn source_problems(
    source: &Source,
    version: &str,
    architectures: &BTreeSet<Architecture>,
) -> Vec<String> {
    let mut problems = Vec::new();
    match (&source.file, &source.url) {
        (None, None) => problems.push("it has neither file nor url".to_owned()),
        (Some(_), Some(_)) => problems.push("it has both file and url".to_owned()),
        (Some(_), None) if source.checksums.is_some() => {
            problems.push("checksums: only downloads have a publisher".to_owned());
        }
        _ => {}
    }
    for (key, address) in [("url", &source.url), ("checksums", &source.checksums)] {
        if let Some(address) = address
            && !address.starts_with("https://")
            && !address.starts_with("http://")
        {
            problems.push(format!("{key}: {address:?} starts with neither https:// nor http://"));
        }
    }
    if let Some(sha256) = &source.sha256 {
        problems.extend(digest_problems(
            "sha256",
            sha256,
            "64 lower-case hex digits",
            digest::is_sha256,
            architectures,
        ));
        let differs = [&source.file, &source.url].into_iter().flatten().any(|text| text.contains("{arch}"));
        if differs && architectures.len() > 1 && matches!(sha256, PerArchitecture::Same(_)) {
            problems.push(
                "sha256: there is one for several files, because of {arch}: write {amd64: …, arm64: …}".to_owned(),
            );
        }
    }
    let places = [("file", &source.file), ("member", &source.member), ("to", &source.to)];
    for (key, path) in places {
        // Any architecture does: none has a slash or a dot in it.
        if let Some(path) = path
            && !is_inner_path(&expand(path, version, Architecture::Amd64))
        {
            problems.push(format!("{key}: {path:?} is not a plain relative path (no leading '/', no '..')"));
        }
    }
    let expanded =
        [("file", &source.file), ("url", &source.url), ("checksums", &source.checksums), ("member", &source.member)];
    for (key, text) in expanded {
        problems.extend(text.as_deref().and_then(|text| name_problem(key, text, NAMES)));
    }
    problems
}

pub(super) fn image_problems(
    image: &ContainerImage,
    component: &ComponentSpec,
    architectures: &BTreeSet<Architecture>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let version = &component.version;
    if image.reference.is_none() && image.image.is_none() {
        problems.push("reference: is missing".to_owned());
    }
    for (key, reference) in [("reference", &image.reference), ("image", &image.image)] {
        let Some(reference) = reference else { continue };
        if let Some(problem) = name_problem(key, reference, &["version"]) {
            problems.push(problem);
        } else if let Some(reason) = reference_problem(&expand_version(reference, version)) {
            problems.push(format!("{key}: {reference:?} is not of the form REGISTRY/PATH:TAG: {reason}"));
        }
    }
    let is_digest = |text: &str| text.strip_prefix("sha256:").is_some_and(digest::is_sha256);
    match (&image.image, &image.digest) {
        (None, Some(_)) => problems.push("digest: is for images of a registry (image)".to_owned()),
        (Some(_), Some(digest)) => {
            problems.extend(digest_problems("digest", digest, "sha256: and 64 hex digits", is_digest, architectures));
        }
        _ => {}
    }
    let is_made = !image.layers.is_empty();
    match &image.image {
        None if !is_made => problems.push("layers: there are none".to_owned()),
        Some(_) if is_made => problems.push("it has both image and layers".to_owned()),
        Some(_) if image.has_settings() => {
            problems.push("an image of a registry is taken as it is: no entrypoint, command, env or user".to_owned());
        }
        _ => {}
    }
    for layer in image.layers.iter().filter(|layer| !component.layers.contains_key(*layer)) {
        problems.push(format!("layers: {layer:?} is not among the layers of the component"));
    }
    for key in image.env.keys().filter(|key| key.is_empty() || key.contains('=')) {
        problems.push(format!("env: {key:?} is not the name of a variable"));
    }
    problems
}

fn digest_problems(
    key: &str,
    digests: &PerArchitecture,
    form: &str,
    is_good: impl Fn(&str) -> bool,
    architectures: &BTreeSet<Architecture>,
) -> Vec<String> {
    let problem = |(architecture, digest): (Option<Architecture>, &str)| match architecture {
        Some(architecture) if !architectures.contains(&architecture) => {
            Some(format!("{key}: {architecture} is not among the architectures of the spec"))
        }
        _ if !is_good(digest) => Some(format!("{key}: {digest:?} is not {form}")),
        _ => None,
    };
    digests.iter().filter_map(problem).collect()
}

fn name_problem(key: &str, text: &str, known: &[&str]) -> Option<String> {
    let unknown = unknown_name(text, known)?;
    let known: Vec<_> = known.iter().map(|name| format!("{{{name}}}")).collect();
    Some(format!("{key}: {unknown} in {text:?} stands for nothing; there is {}", known.join(" and ")))
}

/// Whether `text` stays below the directory that it is relative to.
fn is_inner_path(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('/') && !text.contains('\0') && text.split('/').all(|part| part != "..")
}

/// Registry, path and tag must be there, so that nothing is ever added to it.
fn reference_problem(text: &str) -> Option<&'static str> {
    match RegistryReference::parse(text) {
        Err(reason) => Some(reason),
        Ok(RegistryReference { tag: None, .. }) => Some("it has no tag"),
        Ok(RegistryReference { sha256: Some(_), .. }) => Some("its digest has a key of its own"),
        Ok(_) => None,
    }
}
