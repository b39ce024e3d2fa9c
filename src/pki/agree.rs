//! Whether all copies of something shared are the same.

use std::fmt;

use crate::cluster::{Cluster, HostName, Role};

use super::table::{self, Holds};
use super::{Existing, PkiError};

/// Where a file was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On a host.
    Host(HostName, &'static str),
    /// In the local state directory.
    Cache(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, path) => write!(f, "{host}:{path}"),
            Self::Cache(name) => write!(f, "{name} in the local state directory"),
        }
    }
}

/// A copy.
pub(super) struct Found<'a, T> {
    pub(super) place: Place,
    pub(super) text: &'a str,
    pub(super) value: T,
    /// Equal for equal things, however they are written.
    pub(super) fingerprint: String,
}

/// Every copy of `holds` that was found: control-plane hosts first, because theirs count, this machine's last.
pub(super) fn copies<'a>(cluster: &Cluster, existing: &'a Existing, holds: Holds) -> Vec<(Place, &'a str)> {
    let mut hosts: Vec<_> = cluster.hosts.iter().collect();
    hosts.sort_by_key(|host| !host.roles.contains(Role::ControlPlane));
    let on_hosts = hosts.into_iter().flat_map(|host| {
        table::shared_files(host).filter(|shared| shared.holds == holds).filter_map(|shared| {
            let text = existing.hosts.get(&host.name)?.get(shared.path)?;
            Some((Place::Host(host.name.clone(), shared.path), text.as_str()))
        })
    });
    let name = holds.cache_name();
    let in_cache = existing.cache.get(&name).map(|text| (Place::Cache(name), text.as_str()));
    on_hosts.chain(in_cache).collect()
}

/// The first copy, if all of them are the same.
pub(super) fn agree<'a, T>(what: &str, found: Vec<Found<'a, T>>) -> Result<Option<Found<'a, T>>, PkiError> {
    let mut groups: Vec<(String, Vec<Place>)> = Vec::new();
    for copy in &found {
        match groups.iter_mut().find(|(fingerprint, _)| *fingerprint == copy.fingerprint) {
            Some((_, places)) => places.push(copy.place.clone()),
            None => groups.push((copy.fingerprint.clone(), vec![copy.place.clone()])),
        }
    }
    if groups.len() > 1 {
        return Err(PkiError::Differ { what: what.to_owned(), groups });
    }
    Ok(found.into_iter().next())
}
