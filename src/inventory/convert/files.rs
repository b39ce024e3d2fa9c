//! Paths: relative ones start at the directory of the inventory, `~` is the home directory.

use std::path::PathBuf;

use crate::cluster::RegistryReference;
use crate::inventory::named_files::{Holds, NamedFile};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecImageTrust;
use crate::inventory::tree::Path;

use super::Context;

/// The path that `text` means.
pub(super) fn resolve(text: &str, context: &Context<'_>) -> Result<PathBuf, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new("the path is empty", "write the path of a file"));
    }
    let Some(below) = text.strip_prefix('~') else { return Ok(context.base.join(text)) };
    match (below.strip_prefix('/'), &context.home) {
        (Some(below), Some(home)) => Ok(home.join(below)),
        (None, Some(home)) if below.is_empty() => Ok(home.clone()),
        (None, _) if !below.is_empty() => Err(Fault::new(
            format!("the home directory of another user, {text:?}, is not looked up"),
            "write the whole path",
        )),
        _ => {
            Err(Fault::new(format!("the home directory in {text:?} is not known"), "set HOME, or write the whole path"))
        }
    }
}

/// The path that the field at `path` names, which is noted to be looked at.
pub(super) fn named(text: &str, path: &Path, holds: Holds, context: &mut Context<'_>) -> Option<PathBuf> {
    let resolved = resolve(text, context);
    let file = context.take(path, resolved)?;
    note(file.clone(), path, holds, context);
    Some(file)
}

/// Notes a file to be looked at; of several hosts that have it from one field, once.
pub(super) fn note(file: PathBuf, path: &Path, holds: Holds, context: &mut Context<'_>) {
    let named = NamedFile { file, field: path.clone(), holds };
    if context.noted.insert(path.clone()) {
        context.files.push(named);
    }
}

/// The image reference with its path resolved.
pub(super) fn image(text: &str, context: &Context<'_>) -> Result<String, Fault> {
    let hint = "write REGISTRY/NAME:TAG, oci:DIR, oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE; `kubewright image` builds one";
    let (kind, rest) = match text.split_once(':') {
        Some((kind @ ("oci" | "oci-archive" | "docker-archive"), rest)) => (kind, rest),
        _ => {
            let bad = |why| Fault::new(format!("{text:?} is not a reference to a cluster image: {why}"), hint);
            return RegistryReference::parse(text).map(|reference| reference.to_string()).map_err(bad);
        }
    };
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if kind == "oci" && !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    if path.is_empty() || tag.is_some_and(str::is_empty) {
        return Err(Fault::new(format!("{text:?} lacks its path or tag"), hint));
    }
    let path = resolve(path, context)?;
    let tag = tag.map_or_else(String::new, |tag| format!(":{tag}"));
    Ok(format!("{kind}:{}{tag}", path.display()))
}

/// The files with public keys, resolved.
pub(super) fn trusted_keys(spec: Option<&SpecImageTrust>, context: &mut Context<'_>) -> Vec<PathBuf> {
    let path = Path::of("spec.imageTrust.keys");
    let keys = spec.and_then(|spec| spec.keys.as_deref()).unwrap_or_default();
    if spec.is_some_and(|spec| spec.keys.is_some()) && keys.is_empty() {
        context.fault(&path, Fault::new("there is no key", "name a file, or remove `imageTrust` to trust every image"));
    }
    let keys = keys.iter().enumerate();
    keys.filter_map(|(index, key)| named(key, &path.index(index), Holds::Public, context)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::problems::Problems;
    use super::super::super::yaml;
    use super::*;

    fn with<T>(home: Option<&str>, work: impl Fn(&Context<'_>) -> T) -> T {
        let mut problems = Problems::default();
        let root = yaml::read("a: b", &mut problems).unwrap();
        work(&Context::new(&root, &mut problems, "/inv".into(), home.map(PathBuf::from)))
    }

    #[test]
    fn paths_start_at_the_inventory() {
        for (text, path) in [
            ("key", "/inv/key"),
            ("../key", "/inv/../key"),
            ("/key", "/key"),
            ("~/key", "/home/me/key"),
            ("~", "/home/me"),
        ] {
            assert_eq!(with(Some("/home/me"), |context| resolve(text, context)), Ok(PathBuf::from(path)), "{text}");
        }
        assert!(with(Some("/home/me"), |context| resolve("~you/key", context)).is_err());
        assert!(with(Some("/home/me"), |context| resolve(" ", context)).is_err());
        assert!(with(None, |context| resolve("~/key", context)).is_err());
    }

    #[test]
    fn images_are_layouts_or_archives() {
        for (text, image_text) in [
            ("oci:images/k8s", "oci:/inv/images/k8s"),
            ("oci:/images/k8s:v1.36.4", "oci:/images/k8s:v1.36.4"),
            ("oci:../k8s:v1", "oci:/inv/../k8s:v1"),
            ("oci-archive:~/k8s.tar", "oci-archive:/home/me/k8s.tar"),
            ("docker-archive:k8s.tar", "docker-archive:/inv/k8s.tar"),
            ("registry.example/k8s:v1", "registry.example/k8s:v1"),
        ] {
            assert_eq!(with(Some("/home/me"), |context| image(text, context)), Ok(image_text.to_owned()), "{text}");
        }
        for bad in ["", "k8s", "oci:", "oci::v1", "oci:k8s:", "registry.example/k8s", "k8s:v1", "oci-archive:"] {
            assert!(with(Some("/home/me"), |context| image(bad, context)).is_err(), "{bad}");
        }
    }
}
