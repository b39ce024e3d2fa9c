//! The rules for specs that their shape alone does not enforce. All that are broken are reported.

use std::collections::BTreeSet;

use super::{ComponentSpec, ContainerImage, Source, SpecFile};
use crate::image::{digest, location};

/// What is wrong with `spec`, and where.
pub(super) fn check(spec: &SpecFile) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_component_name(&spec.name) {
        problems.push(format!("name: {:?} {NAME}", spec.name));
    }
    if spec.components.is_empty() {
        problems.push("components: there are none".to_owned());
    }
    let (mut names, mut references) = (BTreeSet::new(), BTreeSet::new());
    for (index, component) in spec.components.iter().enumerate() {
        let mut found = component_problems(component);
        if !names.insert(&component.name) {
            found.push(format!("name: {:?} is taken by another component", component.name));
        }
        for image in &component.images {
            if !references.insert(&image.reference) {
                found.push(format!("images: {} is made twice", image.reference));
            }
        }
        problems.extend(found.into_iter().map(|what| format!("components[{index}] ({}): {what}", component.name)));
    }
    problems
}

const NAME: &str = "may only have a-z, 0-9 and '-', and must start with a letter";

fn component_problems(component: &ComponentSpec) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_component_name(&component.name) {
        problems.push(format!("name: {:?} {NAME}", component.name));
    } else if component.name == "images" {
        problems.push("name: \"images\" is the directory of all image archives".to_owned());
    }
    if !is_path_version(&component.version) {
        problems.push(format!(
            "version: {:?} may only have letters, digits, '.', '_', '+' and '-', and must start with a letter or digit",
            component.version
        ));
    }
    if component.roles.is_empty() {
        problems.push("roles: there are none, so that no host would get it".to_owned());
    }
    match (component.files.is_empty(), component.images.is_empty()) {
        (true, true) => problems.push("it has neither files nor images".to_owned()),
        (false, false) => problems.push("it has both files and images; make two components of it".to_owned()),
        _ => {}
    }
    for (index, source) in component.files.iter().enumerate() {
        problems.extend(source_problems(source).into_iter().map(|what| format!("files[{index}]: {what}")));
    }
    for (name, sources) in &component.layers {
        if sources.is_empty() {
            problems.push(format!("layers.{name}: is empty"));
        }
        if !component.images.iter().any(|image| image.layers.contains(name)) {
            problems.push(format!("layers.{name}: no image uses it"));
        }
        for (index, source) in sources.iter().enumerate() {
            let found = source_problems(source).into_iter();
            problems.extend(found.map(|what| format!("layers.{name}[{index}]: {what}")));
        }
    }
    for image in &component.images {
        let found = image_problems(image, component).into_iter();
        problems.extend(found.map(|what| format!("images ({}): {what}", image.reference)));
    }
    problems
}

fn source_problems(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    match (&source.file, &source.url) {
        (None, None) => problems.push("it has neither file nor url".to_owned()),
        (Some(_), Some(_)) => problems.push("it has both file and url".to_owned()),
        (None, Some(url)) if !url.starts_with("https://") && !url.starts_with("http://") => {
            problems.push(format!("url: {url:?} starts with neither https:// nor http://"));
        }
        (None, Some(_)) if source.sha256.is_none() => problems.push("url: sha256 is missing beside it".to_owned()),
        _ => {}
    }
    if let Some(sha256) = &source.sha256
        && !digest::is_sha256(sha256)
    {
        problems.push(format!("sha256: {sha256:?} is not 64 lower-case hex digits"));
    }
    for (key, path) in [("file", &source.file), ("member", &source.member), ("to", &source.to)] {
        if let Some(path) = path
            && !is_inner_path(path)
        {
            problems.push(format!("{key}: {path:?} is not a plain relative path (no leading '/', no '..')"));
        }
    }
    problems
}

fn image_problems(image: &ContainerImage, component: &ComponentSpec) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_reference(&image.reference) {
        problems.push("the reference is not of the form REGISTRY/PATH:TAG".to_owned());
    }
    if image.layers.is_empty() {
        problems.push("layers: there are none".to_owned());
    }
    for layer in image.layers.iter().filter(|layer| !component.layers.contains_key(*layer)) {
        problems.push(format!("layers: {layer:?} is not among the layers of the component"));
    }
    for key in image.env.keys().filter(|key| key.is_empty() || key.contains('=')) {
        problems.push(format!("env: {key:?} is not the name of a variable"));
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

/// Whether `text` stays below the directory that it is relative to.
fn is_inner_path(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('/') && !text.contains('\0') && text.split('/').all(|part| part != "..")
}

/// Whether `text` names registry, path and tag, so that no default registry is ever added to it.
fn is_reference(text: &str) -> bool {
    let Some((registry, rest)) = text.split_once('/') else { return false };
    let Some((path, tag)) = rest.rsplit_once(':') else { return false };
    let plain = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
    };
    (registry.contains(['.', ':']) || registry == "localhost")
        && plain(registry, b".-:")
        && path.split('/').all(|part| plain(part, b"._-"))
        && location::is_tag(tag)
}

#[cfg(test)]
mod tests {
    use super::super::Spec;
    use super::*;

    const HEAD: &str = "apiVersion: kubewright.dev/v1alpha1\nkind: ImageSpec\nname: a\nkubernetes: v1.20.2\n";

    #[test]
    fn every_broken_rule_is_reported_at_once() {
        let text = format!(
            "{HEAD}{}",
            r"
components:
  - {name: images, version: ../1, roles: []}
  - name: kubelet
    version: v1.20.2
    roles: [worker]
    files:
      - {file: /etc/shadow, url: 'ftp://example.org/a'}
      - {url: 'ftp://example.org/a', sha256: abc}
      - {url: 'https://example.org/a', to: ../a}
      - {member: a}
    images:
      - {reference: busybox, layers: [], env: {'a=b': c}}
      - {reference: registry.example/busybox:1, layers: [gone]}
  - name: kubelet
    version: v1
    roles: [worker]
    images: [{reference: 'registry.example/busybox:1', layers: [base]}]
    layers: {base: [{file: a}], spare: []}
"
        );
        let error = Spec::parse(&text, "bad.yaml").unwrap_err();
        insta::assert_snapshot!(error);
    }

    #[test]
    fn unknown_keys_name_their_line() {
        for (addition, what) in [
            ("components: []\ncolour: red\n", "colour"),
            ("components: [{name: a, version: 1.0.0, roles: [master], files: []}]\n", "master"),
            ("components: [{name: a, version: 1.0.0, roles: [etcd], files: [{file: a, mode: '0777'}]}]\n", "0777"),
            ("components: []\nname: b\n", "duplicate"),
        ] {
            let error = Spec::parse(&format!("{HEAD}{addition}"), "bad.yaml").unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("line"), "{addition}: {error}");
        }
    }

    #[test]
    fn references_name_their_registry_and_tag() {
        for good in ["registry.kubewright.dev/kube-proxy:v1.20.2", "localhost/a:1", "host:5000/a/b_c:1"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["a:1", "library/a:1", "registry.example/a", "registry.example/A:1", "registry.example//a:1"] {
            assert!(!is_reference(bad), "{bad}");
        }
    }

    #[test]
    fn the_schema_refuses_unknown_keys_too() {
        let schema = serde_json::to_value(crate::image::spec_schema()).unwrap();
        let objects = ["ComponentSpec", "Source", "ContainerImage"].map(|name| &schema["$defs"][name]);
        for object in objects.into_iter().chain([&schema]) {
            assert_eq!(object["additionalProperties"], false, "{object}");
        }
        assert_eq!(schema["required"], serde_json::json!(["apiVersion", "kind", "name", "kubernetes", "components"]));
        assert_eq!(schema["$defs"]["Role"]["oneOf"][0]["const"], "control-plane");
    }
}
