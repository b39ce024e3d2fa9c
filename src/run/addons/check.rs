//! What can be said of the add-ons of an inventory on this machine alone, before any cluster is there.

use std::path::PathBuf;

use serde::Serialize;

use super::files::texts;
use crate::cluster::Cluster;
use crate::desired::{self, AddonObjects, Error};
use crate::image::OpenImage;

/// Something that is wrong with an add-on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AddonFault {
    /// The file, or what stands for it.
    pub file: PathBuf,
    /// The line, where there is one.
    pub line: Option<usize>,
    /// All of it in words, with the add-on, the file and the line.
    pub message: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct AddonsChecked {
    /// What keeps add-ons from being applied.
    pub faults: Vec<AddonFault>,
    /// What else there is to tell.
    pub notes: Vec<String>,
}

/// Judges the add-ons of the inventory, as far as that goes without a cluster and, where it is not on this machine,
/// without its image.
pub fn check(cluster: &Cluster, image: Option<&OpenImage>) -> AddonsChecked {
    let mut checked = AddonsChecked::default();
    if cluster.addons.is_empty() {
        return checked;
    }
    let (manifests, unreadable) = texts(cluster, image);
    for (addon, file, why) in unreadable {
        checked.faults.push(AddonFault { file, line: None, message: format!("add-on {addon}: {why}") });
    }
    match desired::judge_addons(cluster, image.map(|image| &image.manifest), &manifests) {
        Ok(groups) => checked.notes.extend(image.map(|image| foreign_images(&groups, image)).unwrap_or_default()),
        Err(error) => checked.faults.extend(error.each().iter().map(fault)),
    }
    if image.is_none() {
        checked.notes.push(format!(
            "the cluster image {} was not looked at: what add-ons take from it is not checked",
            cluster.image.0
        ));
    }
    checked
}

fn fault(error: &Error) -> AddonFault {
    let place = error.place();
    AddonFault {
        file: place.map(|place| place.path.clone()).unwrap_or_default(),
        line: place.and_then(|place| place.line),
        message: error.to_string(),
    }
}

/// Container images that nodes have to pull from somewhere.
pub(in crate::run) fn foreign_images(groups: &[Vec<AddonObjects>], image: &OpenImage) -> Vec<String> {
    let lacking = desired::not_in_the_image(groups, &image.manifest);
    lacking
        .into_iter()
        .map(|(addon, image)| format!("the image {image} of the add-on {addon} is not in the cluster image"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Addon, AddonSource, AddonText};
    use crate::desired::fixture::Fixture;

    #[test]
    fn the_files_of_addons_are_judged_without_a_cluster() {
        let directory = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::new(36);
        let addon = |name: &str, source| Addon {
            name: name.into(),
            source,
            text: AddonText::Plain,
            namespace: "default".into(),
            after: Default::default(),
        };
        let at = |name: &str| AddonSource::Path(directory.path().join(name));
        std::fs::write(directory.path().join("bad.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a_b}\n")
            .unwrap();
        fixture.change(|parts| {
            parts.addons =
                vec![addon("bad", at("bad.yaml")), addon("none", at("none.yaml")), addon("packed", AddonSource::Image)];
        });
        let checked = check(&fixture.cluster, None);
        let told: Vec<String> =
            checked.faults.iter().map(|fault| fault.message.replace(directory.path().to_str().unwrap(), "")).collect();
        assert_eq!(
            told,
            [
                "add-on none: /none.yaml: No such file or directory (os error 2); a `path` that is not absolute begins at the \
                 directory of the inventory; correct it, or put the manifests there",
                "add-on bad, /bad.yaml, line 1: ConfigMap a_b: metadata.name \"a_b\" contains '_'; only a-z, 0-9, '-' and '.' \
                 are allowed",
            ]
        );
        assert_eq!(checked.faults[1].line, Some(1));
        assert!(checked.notes[0].contains("oci:image was not looked at"), "{:?}", checked.notes);
        assert!(check(&Fixture::new(36).cluster, None).notes.is_empty());
    }
}
