//! What is different between two images.

use std::collections::BTreeSet;

use super::{Blob, ClusterImage, Component};
use crate::cluster::Role;

/// What is different between two images, in order of component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Components of either image.
    pub components: Vec<Changed>,
    /// Bytes that an upgrade sends to a host with only this role.
    pub sent: Vec<(Role, u64)>,
}

/// A component before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Name.
    pub name: String,
    /// As it is in the first image, if it is there.
    pub before: Option<Component>,
    /// As it is in the second image, if it is there.
    pub after: Option<Component>,
}

/// How the layer of a component differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Only in the second image.
    Added,
    /// Only in the first.
    Removed,
    /// In both, with other content.
    Changed,
    /// In both, and the same.
    Same,
}

impl Fate {
    /// The word for people and for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }
}

impl Changed {
    /// How the layer differs.
    pub fn fate(&self) -> Fate {
        match (&self.before, &self.after) {
            (None, _) => Fate::Added,
            (_, None) => Fate::Removed,
            (Some(before), Some(after)) if before.blob == after.blob => Fate::Same,
            _ => Fate::Changed,
        }
    }
}

/// Compares two images.
pub fn compare(before: &ClusterImage, after: &ClusterImage) -> Difference {
    let names: BTreeSet<_> =
        before.components.iter().chain(&after.components).map(|component| &component.name).collect();
    let components = names.into_iter().map(|name| Changed {
        name: name.clone(),
        before: before.component(name).cloned(),
        after: after.component(name).cloned(),
    });
    let sent = Role::ALL.into_iter().map(|role| (role, bytes_for(role, before, after)));
    Difference { components: components.collect(), sent: sent.collect() }
}

/// Bytes that a host with only `role` lacks of `after` when it has `before`.
fn bytes_for(role: Role, before: &ClusterImage, after: &ClusterImage) -> u64 {
    let layers = |image: &ClusterImage| -> BTreeSet<Blob> {
        image.components.iter().filter(|one| one.roles.contains(role)).map(|one| one.blob.clone()).collect()
    };
    layers(after).difference(&layers(before)).map(|blob| blob.size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ComponentKind;

    fn image(components: &[(&str, &str, &str, u64)]) -> ClusterImage {
        let component = |(name, roles, sha256, size): &(&str, &str, &str, u64)| Component {
            name: (*name).to_owned(),
            version: "1".to_owned(),
            roles: roles.split(' ').filter_map(|role| Role::ALL.into_iter().find(|one| one.as_str() == role)).collect(),
            kind: ComponentKind::Files,
            blob: Blob { sha256: (*sha256).to_owned(), size: *size },
        };
        ClusterImage {
            name: "sample".to_owned(),
            kubernetes: "v1.20.2".parse().unwrap(),
            upgrades_from: None,
            minimum_kubewright: None,
            architecture: crate::image::Architecture::Amd64,
            components: components.iter().map(component).collect(),
        }
    }

    #[test]
    fn every_component_has_its_fate_and_every_role_its_bytes() {
        let before = image(&[
            ("containerd", "control-plane worker", "a", 10),
            ("docker", "worker", "b", 20),
            ("etcd", "etcd", "c", 40),
        ]);
        let after = image(&[
            ("containerd", "control-plane worker", "A", 11),
            ("etcd", "etcd", "c", 40),
            ("haproxy", "worker", "d", 80),
        ]);
        let difference = compare(&before, &after);
        let fates: Vec<_> = difference.components.iter().map(|one| (one.name.as_str(), one.fate())).collect();
        let expected =
            [("containerd", Fate::Changed), ("docker", Fate::Removed), ("etcd", Fate::Same), ("haproxy", Fate::Added)];
        assert_eq!(fates, expected);
        let sent: Vec<_> = difference.sent.iter().map(|(role, bytes)| (role.as_str(), *bytes)).collect();
        assert_eq!(sent.iter().find(|(role, _)| *role == "control-plane"), Some(&("control-plane", 11)));
        assert_eq!(sent.iter().find(|(role, _)| *role == "worker"), Some(&("worker", 91)));
        assert_eq!(sent.iter().find(|(role, _)| *role == "etcd"), Some(&("etcd", 0)));
    }
}
