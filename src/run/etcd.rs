//! The members of etcd as their hosts see them, and what follows from that for a change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::{Fleet, Member, Outcomes, unexpected};
use crate::cluster::{Host, HostName, Role};
use crate::host::protocol::{EtcdMember, Failure, Probe, Probed};

pub(super) const CLIENT_PORT: u16 = 2379;
/// Entries of the raft log that a member may lack and still be called in sync: what comes in while all are asked.
const FAR_BEHIND: u64 = 5000;

/// Where the member on `host` answers clients.
pub(super) fn endpoint(host: &Host) -> String {
    format!("https://{}", SocketAddr::new(host.address, CLIENT_PORT))
}

/// What the members on the hosts that `counts` picks say of themselves and of each other.
pub(super) async fn views(fleet: &Fleet, counts: impl Fn(&Host) -> bool) -> Outcomes<EtcdMember> {
    let is_member = |host: &Host| host.roles.contains(Role::Etcd) && counts(host);
    fleet.each(is_member, async |member| view(member).await).await
}

async fn view(member: &Member) -> Result<EtcdMember, Failure> {
    let failure = |why: String| Failure { what: "etcd".into(), why, hint: None };
    match member.probe(Probe::Etcd { endpoint: endpoint(&member.host) }).await? {
        Probed::Etcd(view) => Ok(view),
        Probed::Unreachable { why } => Err(failure(why)),
        Probed::Http { status, .. } => Err(failure(format!("answers {status}"))),
        _ => Err(failure("no answer".into())),
    }
}

/// What keeps the members from being one healthy cluster; those on hosts that do not count are left out.
pub(super) async fn missing(run: &Execution<'_>, counts: impl Fn(&Host) -> bool) -> Vec<String> {
    let Outcomes { ok, failed } = views(run.fleet, counts).await;
    let views: Vec<(String, EtcdMember)> = ok.into_iter().map(|(host, view)| (host.to_string(), view)).collect();
    let mut missing: Vec<String> = failed.iter().map(HostFailure::to_string).collect();
    missing.extend(disagreements(&views, run.cluster.with_role(Role::Etcd).count()));
    missing
}

/// What keeps the members of `fleet` from being one healthy cluster of `size`.
pub(super) async fn unwell(fleet: &Fleet, size: usize) -> Vec<String> {
    let Outcomes { ok, failed } = views(fleet, |_| true).await;
    let views: Vec<(String, EtcdMember)> = ok.into_iter().map(|(host, view)| (host.to_string(), view)).collect();
    failed.iter().map(HostFailure::to_string).chain(disagreements(&views, size)).collect()
}

/// The same, but for members that are full.
pub(super) async fn unwell_but_full(fleet: &Fleet, size: usize) -> Vec<String> {
    let Outcomes { ok, failed } = views(fleet, |_| true).await;
    let without = |(host, view): (HostName, EtcdMember)| {
        let errors = view.errors_but_space().cloned().collect();
        (host.to_string(), EtcdMember { errors, ..view })
    };
    let views: Vec<(String, EtcdMember)> = ok.into_iter().map(without).collect();
    failed.iter().map(HostFailure::to_string).chain(disagreements(&views, size)).collect()
}

/// The host of the member that leads.
pub(super) async fn leader(run: &Execution<'_>) -> Option<HostName> {
    let views = views(run.fleet, |_| true).await.ok;
    views.into_iter().find(|(_, view)| leads(view)).map(|(host, _)| host)
}

/// The member that takes over from the one on `host`, when that one leads; its id.
pub(super) async fn successor(run: &Execution<'_>, host: &HostName) -> Option<String> {
    let views = views(run.fleet, |_| true).await.ok;
    if !views.get(host).is_some_and(leads) {
        return None;
    }
    // The one that has seen most has least to catch up with.
    let others = views.into_iter().filter(|(name, view)| name != host && view.errors.is_empty());
    others.max_by_key(|(_, view)| view.raft_index).map(|(_, view)| view.member)
}

/// The host that a snapshot is taken from: one whose member is well and does not lead, if there is a choice.
pub(super) async fn snapshot_host(run: &Execution<'_>) -> Option<HostName> {
    savers(&views(run.fleet, |_| true).await.ok).into_iter().next()
}

/// The hosts whose members a snapshot may be taken from, in the order in which they are tried: those that are well and
/// have seen as much as the others, the leader last.
pub(super) fn savers(views: &BTreeMap<HostName, EtcdMember>) -> Vec<HostName> {
    let newest = views.values().map(|view| view.raft_index).max().unwrap_or_default();
    let fit = |view: &EtcdMember| {
        view.leader.is_some() && view.errors_but_space().next().is_none() && newest - view.raft_index <= FAR_BEHIND
    };
    let mut fit: Vec<_> = views.iter().filter(|(_, view)| fit(view)).collect();
    fit.sort_by_key(|(name, view)| (leads(view), *name));
    fit.into_iter().map(|(name, _)| name.clone()).collect()
}

/// Members whose data differ, once all of them run the same version and may be compared.
pub(super) async fn differing(fleet: &Fleet) -> Vec<String> {
    let Outcomes { ok, failed } = views(fleet, |_| true).await;
    let versions: BTreeSet<&String> = ok.values().map(|view| &view.version).collect();
    // A revision that all have reached.
    let Some(revision) = ok.values().map(|view| view.revision).min() else { return Vec::new() };
    if !failed.is_empty() || versions.len() > 1 {
        return Vec::new();
    }
    let ask = async |member: &Member| {
        let probe = Probe::EtcdHash { endpoint: endpoint(&member.host), revision };
        match member.probe(probe).await? {
            Probed::EtcdHash { hash, compact_revision, .. } => Ok((hash, compact_revision)),
            other => Err(unexpected("compare the data of etcd", &other)),
        }
    };
    let hashes = fleet.each(|host| host.roles.contains(Role::Etcd), ask).await;
    let mut missing: Vec<String> = hashes.failed.iter().map(HostFailure::to_string).collect();
    missing.extend(apart(&hashes.ok, revision));
    missing
}

/// What keeps hashes (with the revision up to which each member has compacted) from being those of the same data.
fn apart(hashes: &BTreeMap<HostName, (u32, i64)>, revision: u64) -> Option<String> {
    let distinct: BTreeSet<_> = hashes.values().collect();
    let compacted: BTreeSet<_> = hashes.values().map(|(_, compacted)| compacted).collect();
    match (distinct.len(), compacted.len()) {
        (0 | 1, _) => None,
        (_, 1) => {
            let said: Vec<String> = hashes.iter().map(|(host, (hash, _))| format!("{host} {hash:08x}")).collect();
            Some(format!("etcd members have different data at revision {revision} (hashes: {})", said.join(", ")))
        }
        // One has compacted a moment before the others: nothing can be said yet.
        _ => {
            let said: Vec<String> = compacted.iter().map(ToString::to_string).collect();
            Some(format!("etcd members have not all compacted to the same revision yet: {}", said.join(", ")))
        }
    }
}

/// Whether a member leads.
pub(super) fn leads(view: &EtcdMember) -> bool {
    view.leader.as_ref() == Some(&view.member)
}

/// What keeps `views` from being one healthy cluster of `size` members.
pub(super) fn disagreements(views: &[(String, EtcdMember)], size: usize) -> Vec<String> {
    let mut missing = Vec::new();
    for (host, view) in views {
        missing.extend(view.errors.iter().map(|error| format!("{host}: etcd reports {error}")));
        if view.leader.is_none() {
            missing.push(format!("{host}: etcd has no leader"));
        }
        let voters = view.members.iter().filter(|member| !member.learner && !member.name.is_empty()).count();
        if voters != size {
            missing.push(format!("{host}: etcd knows {voters} started voters, {size} are wanted"));
        }
    }
    let leaders: BTreeSet<_> = views.iter().filter_map(|(_, view)| view.leader.as_ref()).collect();
    if leaders.len() > 1 {
        missing.push(format!("etcd members name {} different leaders", leaders.len()));
    }
    let terms: BTreeSet<_> = views.iter().map(|(_, view)| view.raft_term).collect();
    if terms.len() > 1 {
        let terms: Vec<String> = terms.iter().map(ToString::to_string).collect();
        missing.push(format!("etcd members are at different raft terms: {}", terms.join(", ")));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::protocol::ListedMember;

    fn listed(number: usize, voter: bool) -> ListedMember {
        ListedMember { id: number.to_string(), name: format!("m{number}"), peer_urls: Vec::new(), learner: !voter }
    }

    fn view(leader: Option<&str>, term: u64, voters: usize) -> EtcdMember {
        EtcdMember {
            member: "a".into(),
            leader: leader.map(str::to_owned),
            raft_term: term,
            raft_index: 9,
            revision: 1,
            version: "3.5.16".into(),
            db_size: 1,
            db_in_use: 1,
            members: (0..3).map(|n| listed(n, n < voters)).collect(),
            errors: Vec::new(),
        }
    }

    #[test]
    fn data_are_compared_where_they_can_be() {
        let hashes = |of: &[(u32, i64)]| {
            let named = |(index, value): (usize, &(u32, i64))| (HostName::parse(&format!("m{index}")).unwrap(), *value);
            of.iter().enumerate().map(named).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(apart(&hashes(&[(1, 5), (1, 5), (1, 5)]), 9), None);
        assert!(apart(&hashes(&[(1, 5), (2, 5), (1, 5)]), 9).unwrap().contains("different data at revision 9"));
        assert!(apart(&hashes(&[(1, 5), (2, 7), (1, 5)]), 9).unwrap().contains("not all compacted"));
    }

    #[test]
    fn a_snapshot_is_taken_from_a_follower_that_is_well_and_in_sync() {
        let member = |id: &str, index: u64, errors: &[&str]| EtcdMember {
            member: id.into(),
            raft_index: index,
            errors: errors.iter().map(|error| (*error).to_owned()).collect(),
            ..view(Some("a"), 2, 3)
        };
        let views = BTreeMap::from([
            (HostName::parse("m1").unwrap(), member("a", 90_000, &[])),
            (HostName::parse("m2").unwrap(), member("b", 89_000, &[])),
            (HostName::parse("m3").unwrap(), member("c", 10, &[])),
            (HostName::parse("m4").unwrap(), member("d", 90_000, &["alarm CORRUPT on member d"])),
            // One that is full can be read, and is in need of it.
            (HostName::parse("m5").unwrap(), member("e", 90_000, &["alarm NOSPACE on member e"])),
        ]);
        assert_eq!(savers(&views).iter().map(HostName::as_str).collect::<Vec<_>>(), ["m2", "m5", "m1"]);
    }

    #[test]
    fn one_leader_one_term_and_all_voters_are_wanted() {
        let well = vec![("m1".to_owned(), view(Some("a"), 2, 3)), ("m2".to_owned(), view(Some("a"), 2, 3))];
        assert!(disagreements(&well, 3).is_empty());
        for (bad, why) in [
            (view(None, 2, 3), "no leader"),
            (view(Some("b"), 2, 3), "different leaders"),
            (view(Some("a"), 3, 3), "different raft terms"),
            (view(Some("a"), 2, 2), "2 started voters"),
        ] {
            let mut views = well.clone();
            views[1].1 = bad;
            let found = disagreements(&views, 3).join("; ");
            assert!(found.contains(why), "{found}");
        }
    }
}
