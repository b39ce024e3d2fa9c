//! Users and groups by name, from the root's own /etc/passwd and /etc/group: the static binary has no name service,
//! and another root has accounts of its own.

use std::collections::BTreeMap;

use nix::unistd::{Group, User};

use super::machine::Machine;
use super::protocol::Failure;
use crate::desired::state::Owner;

/// Ids by name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Accounts {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
    live: bool,
}

impl Accounts {
    /// Reads both files.
    pub(super) fn read(machine: &Machine) -> Result<Self, Failure> {
        let users = machine.text("/etc/passwd")?.map_or_else(BTreeMap::new, |text| parse(&text));
        let groups = machine.text("/etc/group")?.map_or_else(BTreeMap::new, |text| parse(&text));
        Ok(Self { users, groups, live: machine.root.is_live() })
    }

    /// The id of a user; a number that is nobody's name stands for itself, as for chown(1).
    pub(super) fn user(&self, name: &str) -> Option<u32> {
        let asked = || self.live.then(|| User::from_name(name).ok().flatten()).flatten().map(|user| user.uid.as_raw());
        self.users.get(name).copied().or_else(asked).or_else(|| name.parse().ok())
    }

    /// The id of a group, likewise.
    pub(super) fn group(&self, name: &str) -> Option<u32> {
        let asked = || self.live.then(|| Group::from_name(name).ok().flatten()).flatten().map(|g| g.gid.as_raw());
        self.groups.get(name).copied().or_else(asked).or_else(|| name.parse().ok())
    }

    /// Both ids of an owner; `None` while either is not there yet.
    pub(super) fn ids(&self, owner: &Owner) -> Option<(u32, u32)> {
        self.user(&owner.user).zip(self.group(&owner.group))
    }

    /// The names of ids, numbers where nobody has them.
    pub(super) fn owner(&self, (user, group): (u32, u32)) -> Owner {
        let name = |names: &BTreeMap<String, u32>, id: u32| {
            names.iter().find(|(_, known)| **known == id).map_or_else(|| id.to_string(), |(name, _)| name.clone())
        };
        Owner { user: name(&self.users, user), group: name(&self.groups, group) }
    }

    /// The same as people write it: `etcd:etcd`.
    pub(super) fn display(&self, ids: (u32, u32)) -> String {
        let Owner { user, group } = self.owner(ids);
        format!("{user}:{group}")
    }
}

/// Name and id are the first and third field of both files.
fn parse(text: &str) -> BTreeMap<String, u32> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        Some((name.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    // The first line of a name wins, as for getpwnam(3).
    text.lines().rev().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_and_rubbish_is_skipped() {
        let users =
            parse("root:x:0:0:root:/root:/bin/bash\n#a:x:1:\n+::::::\netcd:x:998:998::/:/x\netcd:x:5:5::/:\n\nbad\n");
        assert_eq!(users, BTreeMap::from([("root".into(), 0), ("etcd".into(), 998)]));
        let groups = parse("root:x:0:\netcd:x:998:a,b\n");
        let accounts = Accounts { users, groups, live: false };
        let owner = |user: &str, group: &str| Owner { user: user.into(), group: group.into() };
        assert_eq!(accounts.ids(&owner("etcd", "root")), Some((998, 0)));
        assert_eq!(accounts.ids(&owner("etcd", "nobody")), None);
        assert_eq!(accounts.display((998, 7)), "etcd:7");
        assert_eq!(accounts.owner((5, 998)), owner("5", "etcd"));
        assert_eq!(accounts.ids(&owner("5", "7")), Some((5, 7)));
    }
}
