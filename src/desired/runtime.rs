//! containerd, its configuration, and the container images that the host's roles need.

use minijinja::context;

use super::Error;
use super::context::HostContext;
use super::disk::{POOL, mapper_name, volume_group};
use super::file::{directory, file, running, unit_file};
use super::render::render;
use super::state::{Images, Resource};
use crate::cluster::{DiskUse, Snapshotter};
use crate::image::ComponentKind;
use crate::versions::containerd;

const UNIT: &str = "containerd.service";
/// Where containerd listens.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is_node() {
        return Ok(None);
    }
    let version = host.component_version("containerd")?;
    containerd::pairing(version, host.version())?;
    let pool = host.thin_pool();
    if pool.is_none() && host.facts.has_thin_snapshots {
        return Err(Error::Snapshotter(host.host.name.clone()));
    }
    let group = volume_group(DiskUse::Containerd);
    let pool = pool.map(|pool| {
        context! {
            volume => format!("{group}/{POOL}"),
            name => mapper_name(&group, POOL),
            // containerd's megabytes are binary ones.
            base_image_size => format!("{}MB", pool.base_image_size >> 20),
        }
    });
    let settings = context! {
        pool => pool.clone(),
        socket => SOCKET,
        pause => host.context.reference("pause")?,
        runc => format!("{}/runc", host.programs("runc")?),
        registry_config_path => containerd::registry_config_path(version),
        cni_directory_list => containerd::cni_directory_list(version),
    };
    let template =
        if containerd::config_version(version) == 3 { "containerd-v3.toml.j2" } else { "containerd-v2.toml.j2" };
    let programs = host.programs("containerd")?;
    let unit = context! {
        program => format!("{programs}/containerd"),
        path => host.path(&["containerd", "runc", "host-tools"])?,
        pool,
        mounts => host.mounts(&[DiskUse::Containerd, DiskUse::Logs]),
    };
    let mut resources = vec![
        directory("/etc/containerd", 0o755),
        file("/etc/containerd/config.toml", 0o644, render(template, settings)?, &[UNIT]),
        unit_file(UNIT, render("containerd.service.j2", unit)?),
        running(UNIT),
    ];
    resources.extend(images(host, &format!("{programs}/ctr")));
    Ok(Some(resources))
}

fn images(host: &HostContext<'_>, ctr: &str) -> impl Iterator<Item = Resource> {
    let snapshotter = if host.thin_pool().is_some() { Snapshotter::Devmapper } else { Snapshotter::Overlayfs };
    host.context.image.for_roles(&host.host.roles).filter_map(move |component| match &component.kind {
        ComponentKind::Files => None,
        ComponentKind::Images(references) => Some(Resource::Images(Images {
            name: component.name.clone(),
            blob: component.blob.clone(),
            references: references.clone(),
            ctr: ctr.to_owned(),
            snapshotter,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn images(fixture: &Fixture, host: &str) -> Vec<String> {
        let state = fixture.state(host);
        let name = |resource: &Resource| match resource {
            Resource::Images(images) => Some(images.name.clone()),
            _ => None,
        };
        state.part(Part::Runtime).unwrap().resources.iter().filter_map(name).collect()
    }

    #[test]
    fn a_host_gets_the_images_of_its_roles() {
        let fixture = Fixture::new(36);
        assert_eq!(images(&fixture, "n1"), ["haproxy", "kube-proxy", "pause"]);
        assert!(images(&fixture, "m1").contains(&"kube-apiserver".to_owned()));
    }

    #[test]
    fn a_runtime_that_does_not_speak_to_the_kubelet_is_refused() {
        let mut fixture = Fixture::new(20);
        fixture.component("containerd").version = "2.1.4".to_owned();
        let context = fixture.context();
        let host = HostContext::new(&context, fixture.host("n1")).unwrap();
        let message = part(&host).unwrap_err().to_string();
        assert!(message.contains("containerd v2.1.4 does not go with Kubernetes v1.20"), "{message}");
    }
}
