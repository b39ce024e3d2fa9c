//! Container images that add-ons run and the cluster image lacks: nodes have to pull them from somewhere.

use std::collections::BTreeSet;

use super::AddonObjects;
use crate::image::{ClusterImage, container_images};

/// Add-on and image, each pair once. An add-on of the cluster image is refused for it; this is about those of files.
pub fn not_in_the_image(groups: &[Vec<AddonObjects>], image: &ClusterImage) -> Vec<(String, String)> {
    let brought: BTreeSet<String> = image.references().map(full).collect();
    let mut found = BTreeSet::new();
    for addon in groups.iter().flatten() {
        let lacking = container_images(&addon.objects).into_iter().filter(|image| !brought.contains(&full(image)));
        found.extend(lacking.map(|image| (addon.name.clone(), image)));
    }
    found.into_iter().collect()
}

/// A reference as containerd completes it: registry and tag are there. A digest beside a tag says nothing of the name.
fn full(reference: &str) -> String {
    let (name, digest) = reference.split_once('@').map_or((reference, None), |(name, digest)| (name, Some(digest)));
    let name = match name.split_once('/') {
        Some((registry, _)) if registry.contains(['.', ':']) || registry == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    };
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    match (has_tag, digest) {
        (true, _) => name,
        (false, Some(digest)) => format!("{name}@{digest}"),
        (false, None) => format!("{name}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_compared_as_containerd_completes_them() {
        for (short, long) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("quay.io/a/b:1@sha256:c", "quay.io/a/b:1"),
            ("quay.io/a/b@sha256:c", "quay.io/a/b@sha256:c"),
        ] {
            assert_eq!(full(short), long);
        }
    }
}
