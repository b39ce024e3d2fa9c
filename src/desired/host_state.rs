//! The state of a host: the list of its parts.

use super::context::HostContext;
use super::state::{HostState, Part, PartState, Resource};
use super::{
    Context, Error, binaries, control_plane, disks, endpoint, etcd, images, kernel, keys, kubelet, network, proxy,
    retained, runtime, snapshots, tuning,
};
use crate::cluster::Host;

type Build = fn(&HostContext<'_>) -> Result<Option<Vec<Resource>>, Error>;

/// Every part, in the order in which they are brought about.
const PARTS: [(Part, Build); 16] = [
    (Part::Kernel, kernel::part),
    (Part::Disks, disks::part),
    (Part::Binaries, binaries::part),
    (Part::Tuning, tuning::part),
    (Part::Pki, keys::part),
    (Part::Etcd, etcd::part),
    (Part::Snapshots, snapshots::part),
    (Part::Runtime, runtime::part),
    (Part::Images, images::part),
    (Part::Endpoint, endpoint::part),
    (Part::ControlPlane, control_plane::api_server),
    (Part::Network, network::part),
    (Part::Kubelet, kubelet::part),
    (Part::Controllers, control_plane::controllers),
    (Part::Proxy, proxy::part),
    (Part::Retained, retained::part),
];

/// Everything that `host` should be. Fails with all that is wrong, never only the first.
pub fn host_state(context: &Context<'_>, host: &Host) -> Result<HostState, Error> {
    let host = HostContext::new(context, host)?;
    let (mut parts, mut errors) = (Vec::new(), Vec::new());
    for (part, build) in PARTS {
        match build(&host) {
            Ok(Some(resources)) => parts.push(PartState { part, resources }),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    Error::collect(errors)?;
    Ok(HostState { parts })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::desired::fixture::Fixture;

    #[test]
    fn parts_come_in_their_order_and_depend_on_roles() {
        let fixture = Fixture::with_etcd_host(36);
        let parts = |host: &str| fixture.state(host).parts.iter().map(|state| state.part).collect::<Vec<_>>();
        assert!(PARTS.is_sorted_by_key(|(part, _)| *part));
        let elsewhere = [Part::Disks, Part::Etcd, Part::Snapshots];
        let of_m1: Vec<_> = PARTS.map(|(part, _)| part).into_iter().filter(|part| !elsewhere.contains(part)).collect();
        assert_eq!(parts("m1"), of_m1);
        assert_eq!(
            parts("e1"),
            [Part::Kernel, Part::Binaries, Part::Tuning, Part::Pki, Part::Etcd, Part::Snapshots, Part::Retained]
        );
        use Part::{Binaries, Endpoint, Images, Kernel, Kubelet, Network, Pki, Proxy, Retained, Runtime, Tuning};
        assert_eq!(
            parts("n1"),
            [Kernel, Binaries, Tuning, Pki, Runtime, Images, Endpoint, Network, Kubelet, Proxy, Retained]
        );
    }

    #[test]
    fn nothing_is_written_twice_and_units_follow_their_files() {
        for minor in 20..=37 {
            let fixture = Fixture::new(minor);
            for host in ["m1", "n1"] {
                let (mut files, mut units, mut gone, mut off) =
                    (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
                for resource in fixture.state(host).parts.iter().flat_map(|part| &part.resources) {
                    match resource {
                        Resource::File(file) => {
                            assert!(files.insert(file.path.clone()), "{} twice", file.path);
                            assert!(file.content.is_empty() || file.content.ends_with('\n'), "{}", file.path);
                        }
                        Resource::Absent(absent) => drop(gone.insert(absent.path.clone())),
                        Resource::Unit(unit) if !unit.enabled => off.push(format!("/etc/systemd/system/{}", unit.name)),
                        Resource::Unit(unit) => {
                            assert!(files.contains(&format!("/etc/systemd/system/{}", unit.name)), "{}", unit.name);
                            units.insert(unit.name.clone());
                        }
                        _ => {}
                    }
                }
                // One that is switched off has its file, or leaves none behind.
                for file in off {
                    assert!(files.contains(&file) || gone.contains(&file), "{file}");
                }
                assert!(units.contains("kubelet.service") && units.contains("containerd.service"));
            }
        }
    }

    #[test]
    fn what_is_wrong_in_several_parts_is_told_at_once() {
        let mut fixture = Fixture::new(36);
        fixture.component("containerd").version = "1.5.0".to_owned();
        fixture.facts_of("m1").interfaces.clear();
        fixture.component("etcd").version = "3.3.1".to_owned();
        let message = fixture.try_state("m1").unwrap_err().to_string();
        for part in ["containerd v1.5.0", "no interface has the address", "etcd v3.3.1 is not supported"] {
            assert!(message.contains(part), "{part} in:\n{message}");
        }
        let message = Fixture::new(19).try_state("m1").unwrap_err().to_string();
        assert!(message.contains("Kubernetes v1.19.0 is not supported"), "{message}");
    }
}
