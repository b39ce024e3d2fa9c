//! The shared files of each host and of the local state directory. A good file that is there stays as it is, even where
//! it is written differently: nothing restarts over a line break.

use crate::cluster::Host;

use super::authority::Material;
use super::service_account::ServiceAccount;
use super::table::{self, Authority, HOLDS, Holds};
use super::{Existing, KeyFile, KeyOwner};

/// What all hosts share.
pub(super) struct Common {
    pub(super) authorities: Vec<Material>,
    pub(super) account: ServiceAccount,
}

impl Common {
    pub(super) fn authority(&self, authority: Authority) -> &Material {
        &self.authorities[authority as usize]
    }

    /// `None` for the key of a CA whose key is elsewhere.
    fn content(&self, holds: Holds) -> Option<&str> {
        match holds {
            Holds::Certificate(authority) => Some(&self.authority(authority).certificate),
            Holds::Key(authority) => self.authority(authority).key.as_deref(),
            Holds::AccountKey => Some(&self.account.key),
            Holds::AccountPublic => Some(&self.account.public),
        }
    }

    /// The shared files of `host`.
    pub(super) fn of_host(&self, existing: &Existing, host: &Host) -> Vec<KeyFile> {
        let there = existing.hosts.get(&host.name);
        let file = |shared: &table::Shared| {
            let content = there.and_then(|files| files.get(shared.path)).map(String::as_str);
            let content = content.or_else(|| self.content(shared.holds))?.to_owned();
            Some(KeyFile { path: shared.path.into(), content, secret: shared.holds.secret(), owner: shared.owner })
        };
        table::shared_files(host).filter_map(file).collect()
    }

    /// The shared files of the local state directory.
    pub(super) fn of_cache(&self, existing: &Existing) -> Vec<KeyFile> {
        let file = |holds: Holds| {
            let path = holds.cache_name();
            let content = existing.cache.get(&path).map(String::as_str).or_else(|| self.content(holds))?.to_owned();
            Some(KeyFile { path, content, secret: holds.secret(), owner: KeyOwner::Root })
        };
        HOLDS.into_iter().filter_map(file).collect()
    }
}
