//! Data disks of a host: which device, what comes onto it, and where it is mounted.

use sha2::{Digest, Sha256};

use super::Error;
use super::context::HostContext;
use super::disk::{Disk, Disks};
use super::state::{Block, Resource};
use crate::cluster::{DataDisk, DiskLayout, DiskUse, Filesystem};

const FSTAB: &str = "/etc/fstab";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if host.host.disks.is_empty() {
        return Ok(None);
    }
    let disks: Vec<Disk> = host.host.disks.iter().map(|disk| of(host, disk)).collect();
    let blocks: Vec<Resource> = disks.iter().map(fstab).collect();
    // The file systems come first, so that /etc/fstab names only what is there.
    Ok(Some([vec![Resource::Disks(Disks { disks })], blocks].concat()))
}

fn of(host: &HostContext<'_>, disk: &DataDisk) -> Disk {
    let (cluster, name) = (host.cluster().name.as_str(), host.host.name.as_str());
    // A disk that is to be made in another way is another disk: what is there is refused and not taken for it.
    let mut parts = vec![cluster, name, disk.purpose.as_str(), disk.filesystem.as_str()];
    match disk.layout {
        DiskLayout::Plain => {}
        DiskLayout::Lvm => parts.push("lvm"),
        DiskLayout::ThinPool(_) => parts.extend(["lvm", "thin-pool"]),
    }
    Disk {
        purpose: disk.purpose,
        device: disk.device.clone(),
        layout: disk.layout,
        filesystem: disk.filesystem,
        uuid: uuid(&parts),
        options: options(disk).into_iter().map(str::to_owned).collect(),
        must_be_empty: disk.purpose == DiskUse::Etcd && begins(host),
    }
}

/// Whether the cluster is about to begin, as far as this host knows. One that was installed before may just have lost the
/// mount; and where other members have data, this one brings its own back.
fn begins(host: &HostContext<'_>) -> bool {
    host.facts.components.is_empty() && host.context.facts.values().all(|facts| !facts.has_etcd_data)
}

/// Nobody needs the time of the last reading. Programs run from images and from volumes of pods, and some of them with
/// another user's rights; nothing of that is in logs and etcd's data.
fn options(disk: &DataDisk) -> Vec<&'static str> {
    let mut options = vec!["noatime"];
    match disk.purpose {
        DiskUse::Etcd | DiskUse::Logs => options.extend(["nodev", "nosuid", "noexec"]),
        DiskUse::Kubelet | DiskUse::Containerd => {}
    }
    options
}

/// A block for each disk: one that the inventory no longer names keeps its line, and with it its data at the next boot.
///
/// `nofail`, so that a host whose disk is gone still boots and can be logged in to. What needs the disk does not start
/// then, because its unit requires the mount.
fn fstab(disk: &Disk) -> Resource {
    let check = if disk.filesystem == Filesystem::Ext4 { 2 } else { 0 };
    let (uuid, place, kind) = (&disk.uuid, disk.purpose.mount_point(), disk.filesystem);
    let line = format!("UUID={uuid} {place} {kind} {},nofail 0 {check}", disk.options.join(","));
    Resource::Block(Block { path: FSTAB.to_owned(), name: format!("disk-{}", disk.purpose), lines: vec![line] })
}

/// A UUID of version 8, which is any that is worked out from something: from `parts`.
fn uuid(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // With its length, so that no two lists run together into the same bytes.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    // The thirteenth digit is the version; 8 to b at the seventeenth is the variant, always 8 here.
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::DeviceRule;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn with_disks(purposes: &'static [DiskUse]) -> Fixture {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| {
            for host in &mut parts.hosts {
                let disk = |purpose: &DiskUse| DataDisk {
                    purpose: *purpose,
                    device: DeviceRule::Path(format!("/dev/disk/by-id/{purpose}")),
                    layout: DiskLayout::Plain,
                    filesystem: purpose.default_filesystem(),
                };
                host.disks = purposes.iter().filter(|purpose| purpose.suits(&host.roles)).map(disk).collect();
            }
        });
        fixture
    }

    #[test]
    fn a_host_without_disks_has_no_such_part() {
        assert!(Fixture::new(36).state("m1").part(Part::Disks).is_none());
    }

    #[test]
    fn fstab_names_every_disk_by_its_uuid() {
        let fixture = with_disks(&DiskUse::ALL);
        let lines = |host: &str| {
            let state = fixture.state(host);
            let line = |resource: &Resource| match resource {
                Resource::Block(block) => Some(format!("{}: {}", block.name, block.lines.join("\n"))),
                _ => None,
            };
            state.part(Part::Disks).unwrap().resources.iter().filter_map(line).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(lines("m1"));
        assert!(!lines("n1").contains("/var/lib/etcd"));
    }

    #[test]
    fn every_file_system_has_a_uuid_of_its_own() {
        let fixture = with_disks(&DiskUse::ALL);
        let mut uuids = Vec::new();
        for host in ["m1", "m2", "n1"] {
            let state = fixture.state(host);
            let Resource::Disks(disks) = &state.part(Part::Disks).unwrap().resources[0] else {
                panic!("the disks come first")
            };
            uuids.extend(disks.disks.iter().map(|disk| disk.uuid.clone()));
        }
        let count = uuids.len();
        uuids.sort();
        uuids.dedup();
        assert_eq!(uuids.len(), count);
        assert!(uuids.iter().all(|uuid| uuid.len() == 36 && &uuid[14..15] == "8" && &uuid[19..20] == "8"), "{uuids:?}");
    }

    #[test]
    fn data_of_a_former_cluster_are_not_taken_into_a_new_one() {
        let mut fixture = with_disks(&DiskUse::ALL);
        let must = |fixture: &Fixture| {
            let state = fixture.state("m1");
            let Resource::Disks(disks) = &state.part(Part::Disks).unwrap().resources[0] else { panic!("no disks") };
            disks.disks.iter().map(|disk| disk.must_be_empty).collect::<Vec<_>>()
        };
        assert_eq!(must(&fixture), [true, false, false, false]);
        fixture.facts_of("m2").has_etcd_data = true;
        assert_eq!(must(&fixture), [false; 4]);
        fixture.facts_of("m2").has_etcd_data = false;
        fixture.facts_of("m1").components.insert("etcd/3.5".into(), "ff".into());
        assert_eq!(must(&fixture), [false; 4]);
    }

    #[test]
    fn units_wait_for_what_is_mounted_where_they_write() {
        let unit = |fixture: &Fixture, part: Part, name: &str| {
            let state = fixture.state("m1");
            let found = state.part(part).unwrap().resources.iter().find_map(|resource| match resource {
                Resource::File(file) if file.path.ends_with(name) => Some(file.content.clone()),
                _ => None,
            });
            found.unwrap()
        };
        let fixture = Fixture::new(36);
        for (part, name, mounts) in [
            (Part::Etcd, "/etcd.service", "/var/lib/etcd"),
            (Part::Runtime, "/containerd.service", "/var/lib/containerd /var/log/pods"),
            (Part::Kubelet, "/kubelet.service", "/var/lib/kubelet /var/log/pods"),
        ] {
            let line = format!("\nRequiresMountsFor={mounts}\n");
            assert!(unit(&fixture, part, name).contains(&line), "{name} has no {line:?}");
        }
    }
}
