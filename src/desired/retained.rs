//! What stays on a host: everything that the image has for it, and what can be rolled back to.

use super::Error;
use super::context::HostContext;
use super::state::{Resource, Retained};
use crate::image::ComponentKind;

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    let mut retained = Retained {
        directories: Vec::new(),
        references: Vec::new(),
        blobs: Vec::new(),
        others: host.cluster().distribution.retain.get() - 1,
    };
    for component in host.context.image.for_roles(&host.host.roles) {
        match &component.kind {
            ComponentKind::Files => retained.directories.extend(host.context.image.directory(&component.name)),
            ComponentKind::Images(references) => retained.references.extend(references.iter().cloned()),
            ComponentKind::Manifests | ComponentKind::Program => {}
        }
        retained.blobs.push(component.blob.sha256.clone());
    }
    Ok(Some(vec![Resource::Retained(retained)]))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    #[test]
    fn all_that_the_roles_need_stays_and_one_version_less_than_is_retained() {
        let mut fixture = Fixture::with_etcd_host(36);
        fixture.change(|parts| parts.distribution.retain = NonZeroU32::new(3).unwrap());
        let retained = |host: &str| {
            let state = fixture.state(host);
            match &state.part(Part::Retained).unwrap().resources[..] {
                [Resource::Retained(retained)] => retained.clone(),
                other => panic!("{other:?}"),
            }
        };
        let etcd = retained("e1");
        assert_eq!((etcd.directories.len(), etcd.references.len(), etcd.blobs.len(), etcd.others), (1, 0, 1, 2));
        assert!(etcd.directories[0].starts_with("/opt/kubewright/etcd/"), "{etcd:?}");
        let worker = retained("n1");
        assert!(worker.references.iter().any(|reference| reference.contains("/pause:")), "{worker:?}");
        // What is unpacked and what is kept for it are the same components.
        let state = fixture.state("n1");
        let unpacked = state.parts.iter().flat_map(|part| &part.resources);
        let unpacked: Vec<String> = unpacked
            .filter_map(|resource| match resource {
                Resource::Component(component) => Some(component.directory()),
                _ => None,
            })
            .collect();
        assert_eq!(worker.directories, unpacked);
    }
}
