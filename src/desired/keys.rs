//! Certificates, keys and kubeconfigs. With them the directories of kubeadm's layout, for all parts that follow.

use std::collections::BTreeMap;

use super::context::HostContext;
use super::file::directory;
use super::state::{File, Owner, Resource, User};
use super::static_pod::MANIFESTS;
use super::{Error, etcd};
use crate::cluster::Role;
use crate::pki::{KeyFile, KeyOwner};

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    let mut resources = Vec::new();
    if host.is(Role::Etcd) {
        // Here and not with etcd, because some of the files below are etcd's.
        resources.push(Resource::User(User { name: etcd::USER.to_owned(), home: etcd::DATA.to_owned() }));
    }
    let parents = host.keys.iter().filter_map(|key| key.path.rsplit_once('/'));
    let mut directories: BTreeMap<&str, u32> = parents.map(|(parent, _)| (parent, 0o755)).collect();
    if host.is(Role::Etcd) {
        directories.insert("/etc/etcd", 0o755);
    }
    if host.is_node() {
        directories.extend([("/etc/kubernetes", 0o755), (MANIFESTS, 0o700), ("/var/lib/kubelet", 0o750)]);
    }
    resources.extend(directories.into_iter().map(|(path, mode)| directory(path, mode)));
    resources.extend(host.keys.iter().map(|key| Resource::File(file(host, key))));
    Ok(Some(resources))
}

fn file(host: &HostContext<'_>, key: &KeyFile) -> File {
    let owner = match key.owner {
        KeyOwner::Root => Owner::root(),
        KeyOwner::Etcd => Owner { user: etcd::USER.to_owned(), group: etcd::USER.to_owned() },
    };
    File {
        path: key.path.clone(),
        mode: if key.secret { 0o600 } else { 0o644 },
        owner,
        content: key.content.clone(),
        secret: key.secret,
        restarts: restarts(host, &key.path),
        reloads: Vec::new(),
    }
}

/// Who must be restarted to see a new key. Static pods are not here: a digest in their manifests changes with the keys.
/// Nor is etcd for its own certificates: it reads them at each handshake, and members must not restart all at once.
fn restarts(host: &HostContext<'_>, path: &str) -> Vec<String> {
    match path {
        "/etc/etcd/pki/ca.crt" => vec![etcd::UNIT.to_owned()],
        "/etc/kubernetes/kubelet.conf" | "/var/lib/kubelet/pki/kubelet.crt" | "/var/lib/kubelet/pki/kubelet.key" => {
            vec!["kubelet.service".to_owned()]
        }
        "/etc/kubernetes/pki/ca.crt" if host.is_node() => vec!["kubelet.service".to_owned()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    #[test]
    fn keys_are_private_and_their_directories_come_first() {
        let state = Fixture::new(36).state("m1");
        let resources = &state.part(Part::Pki).unwrap().resources;
        let mut seen = BTreeSet::new();
        for resource in resources {
            match resource {
                Resource::Directory(directory) => drop(seen.insert(directory.path.clone())),
                Resource::File(file) => {
                    assert!(seen.contains(file.path.rsplit_once('/').unwrap().0), "{}", file.path);
                    assert_eq!(file.mode, if file.secret { 0o600 } else { 0o644 }, "{}", file.path);
                    assert_eq!(file.owner.user == "etcd", file.path.starts_with("/etc/etcd/"), "{}", file.path);
                    assert!(!format!("{file:?}").contains("secret of"), "{}", file.path);
                }
                Resource::User(user) => assert_eq!(user.name, "etcd"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn only_those_who_do_not_notice_are_restarted() {
        let state = Fixture::new(36).state("m1");
        let restarts: Vec<(String, Vec<String>)> = state
            .part(Part::Pki)
            .unwrap()
            .resources
            .iter()
            .filter_map(|resource| match resource {
                Resource::File(file) if !file.restarts.is_empty() => Some((file.path.clone(), file.restarts.clone())),
                _ => None,
            })
            .collect();
        let unit = |name: &str| vec![name.to_owned()];
        assert_eq!(
            restarts,
            [
                ("/etc/etcd/pki/ca.crt".to_owned(), unit("etcd.service")),
                ("/etc/kubernetes/kubelet.conf".to_owned(), unit("kubelet.service")),
                ("/etc/kubernetes/pki/ca.crt".to_owned(), unit("kubelet.service")),
                ("/var/lib/kubelet/pki/kubelet.crt".to_owned(), unit("kubelet.service")),
                ("/var/lib/kubelet/pki/kubelet.key".to_owned(), unit("kubelet.service")),
            ]
        );
    }
}
