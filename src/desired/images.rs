//! The container images that the host's roles need, imported into containerd.

use super::Error;
use super::context::HostContext;
use super::state::{Images, Resource};
use crate::cluster::Snapshotter;
use crate::image::ComponentKind;

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is_node() {
        return Ok(None);
    }
    let ctr = format!("{}/ctr", host.programs("containerd")?);
    let snapshotter = if host.thin_pool().is_some() { Snapshotter::Devmapper } else { Snapshotter::Overlayfs };
    let components = host.context.image.for_roles(&host.host.roles);
    let images = components.filter_map(|component| match &component.kind {
        ComponentKind::Files | ComponentKind::Manifests | ComponentKind::Program => None,
        ComponentKind::Images(references) => Some(Resource::Images(Images {
            name: component.name.clone(),
            blob: component.blob.clone(),
            references: references.clone(),
            ctr: ctr.clone(),
            snapshotter,
        })),
    });
    Ok(Some(images.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    #[test]
    fn a_host_gets_the_images_of_its_roles() {
        let fixture = Fixture::new(36);
        let names = |host: &str| {
            let state = fixture.state(host);
            let resources = state.part(Part::Images).unwrap().resources.iter();
            let name = |resource: &Resource| match resource {
                Resource::Images(images) => Some(images.name.clone()),
                _ => None,
            };
            resources.filter_map(name).collect::<Vec<_>>()
        };
        assert_eq!(names("n1"), ["haproxy", "kube-proxy", "pause"]);
        assert!(names("m1").contains(&"kube-apiserver".to_owned()));
    }
}
