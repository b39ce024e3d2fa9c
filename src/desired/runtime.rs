//! containerd and its configuration.

use minijinja::context;

use super::Error;
use super::context::HostContext;
use super::disk::{POOL, mapper_name, volume_group};
use super::file::{directory, file, running, unit_file};
use super::render::render;
use super::state::Resource;
use crate::cluster::DiskUse;
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
    };
    Ok(Some(vec![
        directory("/etc/containerd", 0o755),
        file("/etc/containerd/config.toml", 0o644, render(template, settings)?, &[UNIT]),
        unit_file(UNIT, render("containerd.service.j2", unit)?),
        running(UNIT),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{DataDisk, DeviceRule, DiskLayout, Filesystem, Snapshotter, ThinPool};
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn with_pool(minor: u32) -> Fixture {
        let mut fixture = Fixture::new(minor);
        fixture.change(|parts| {
            for host in parts.hosts.iter_mut().filter(|host| host.name.as_str() == "n1") {
                host.disks = vec![DataDisk {
                    purpose: DiskUse::Containerd,
                    device: DeviceRule::Path("/dev/vdb".into()),
                    layout: DiskLayout::ThinPool(ThinPool { base_image_size: 20 << 30 }),
                    filesystem: Filesystem::Xfs,
                }];
            }
        });
        fixture
    }

    #[test]
    fn a_host_with_a_thin_pool_has_its_layers_in_there() {
        for (minor, version) in [(20, "2"), (36, "3")] {
            let fixture = with_pool(minor);
            let file = |host: &str, name: &str| {
                let state = fixture.state(host);
                let resources = &state.part(Part::Runtime).unwrap().resources;
                let content = resources.iter().find_map(|resource| match resource {
                    Resource::File(file) if file.path.ends_with(name) => Some(file.content.clone()),
                    _ => None,
                });
                content.unwrap()
            };
            let config = file("n1", "/config.toml");
            let of_cri = if version == "3" {
                "[plugins.\"io.containerd.cri.v1.images\"]\n  snapshotter = \"devmapper\"\n"
            } else {
                "    default_runtime_name = \"runc\"\n    snapshotter = \"devmapper\"\n"
            };
            for words in [
                of_cri,
                "[plugins.\"io.containerd.snapshotter.v1.devmapper\"]\n",
                "  pool_name = \"kubewright--containerd-pool\"\n  base_image_size = \"20480MB\"\n",
            ] {
                assert!(config.contains(words), "{words} is not in\n{config}");
            }
            assert!(
                config
                    .starts_with(&format!("# Written by kubewright; changes are overwritten.\nversion = {version}\n"))
            );
            assert_eq!(config.contains("unpack_config"), version == "3", "{config}");
            let start = "\nExecStartPre=/sbin/lvm lvchange --activate y kubewright-containerd/pool\nExecStart=";
            assert!(file("n1", "/containerd.service").contains(start));
            assert!(
                !file("m1", "/config.toml").contains("devmapper") && !file("m1", "/containerd.service").contains("lvm")
            );
            let state = fixture.state("n1");
            let snapshotters =
                state.part(Part::Images).unwrap().resources.iter().filter_map(|resource| match resource {
                    Resource::Images(images) => Some(images.snapshotter),
                    _ => None,
                });
            assert!(snapshotters.into_iter().all(|snapshotter| snapshotter == Snapshotter::Devmapper));
            let modules = state.part(Part::Kernel).unwrap().resources.iter().filter_map(|resource| match resource {
                Resource::Module(module) => Some(module.name.as_str()),
                _ => None,
            });
            assert!(modules.into_iter().any(|name| name == "dm_thin_pool"));
        }
    }

    #[test]
    fn a_node_does_not_change_its_snapshotter() {
        let mut fixture = with_pool(36);
        fixture.facts_of("n1").has_thin_snapshots = true;
        fixture.state("n1");
        fixture.facts_of("m1").has_thin_snapshots = true;
        let message = fixture.try_state("m1").unwrap_err().to_string();
        assert!(message.contains("containerd of m1 has its images and containers in a thin pool"), "{message}");
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
