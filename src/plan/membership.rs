//! How the members of etcd become those of the inventory: one step at a time, each of which leaves a majority that is
//! well. A decision over what members say of each other; who carries it out is decided elsewhere.

use std::collections::BTreeSet;

use crate::cluster::HostName;

/// A host of etcd in the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub host: HostName,
    /// Peer URL of its member.
    pub peer_url: String,
    /// Whether the member's data are there.
    pub has_data: bool,
    /// Whether the member answers, knows a leader and reports nothing.
    pub well: bool,
}

/// A member, as the others know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id, hexadecimal.
    pub id: String,
    /// Its name; empty where it was added and never started.
    pub name: String,
    /// Its peer URLs.
    pub peer_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub learner: bool,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipStep {
    /// Take a member out: it is lost, or no host of the inventory any more.
    Remove {
        /// Its id.
        id: String,
        /// What people know it by.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// Let the others know of a member without a vote.
    Add {
        /// The host that it will run on.
        host: HostName,
    },
    /// Start it, without data: it gets them from the others.
    Start {
        /// The host.
        host: HostName,
    },
    /// Give it its vote, once it has what the others have.
    Promote {
        /// Its id.
        id: String,
        /// The host.
        host: HostName,
    },
}

/// What is to be done next; nothing where members and inventory are the same. An error says why nothing can be done.
pub fn next(wanted: &[Wanted], known: &[Known]) -> Result<Option<MembershipStep>, String> {
    let host_of = |member: &Known| wanted.iter().find(|host| member.peer_urls.contains(&host.peer_url));
    let member_of = |host: &Wanted| known.iter().find(|member| member.peer_urls.contains(&host.peer_url));
    let remove = |member: &Known, why| {
        let name = if member.name.is_empty() { member.peer_urls.join(", ") } else { member.name.clone() };
        majority(wanted, known, Some(&member.id))?;
        Ok(Some(MembershipStep::Remove { id: member.id.clone(), name, why }))
    };
    // What an earlier run has begun.
    if let Some(learner) = known.iter().find(|member| member.learner) {
        return match host_of(learner) {
            None => remove(learner, "its host is not in the inventory"),
            Some(host) if host.has_data => {
                Ok(Some(MembershipStep::Promote { id: learner.id.clone(), host: host.host.clone() }))
            }
            // One that was there already has lost what it knew.
            Some(_) if !learner.name.is_empty() => remove(learner, "its data are gone"),
            Some(host) => Ok(Some(MembershipStep::Start { host: host.host.clone() })),
        };
    }
    // A member without data must not come back as if it had never forgotten anything.
    for host in wanted.iter().filter(|host| !host.has_data) {
        if let Some(member) = member_of(host) {
            return remove(member, "its data are gone");
        }
    }
    // Nobody can tell whether it lives: one that is gone counts for the majority all the same, so it goes first.
    if let Some(member) = known.iter().find(|member| host_of(member).is_none()) {
        return remove(member, "its host is not in the inventory");
    }
    if let Some(host) = wanted.iter().find(|host| member_of(host).is_none()) {
        if host.has_data {
            return Err(format!(
                "{} has data of etcd, and is no member of this cluster: move /var/lib/etcd/member of it away if they are \
                 not needed",
                host.host
            ));
        }
        majority(wanted, known, None)?;
        return Ok(Some(MembershipStep::Add { host: host.host.clone() }));
    }
    Ok(None)
}

/// Members that are well, as far as the inventory's hosts tell.
fn well(wanted: &[Wanted], known: &[Known]) -> usize {
    let urls: BTreeSet<_> = wanted.iter().filter(|host| host.well).map(|host| &host.peer_url).collect();
    known.iter().filter(|member| !member.learner && member.peer_urls.iter().any(|url| urls.contains(url))).count()
}

/// A change of members needs a majority before and after it; `but` is the one that goes.
fn majority(wanted: &[Wanted], known: &[Known], but: Option<&String>) -> Result<(), String> {
    let voters: Vec<Known> = known.iter().filter(|member| !member.learner).cloned().collect();
    let after: Vec<Known> = voters.iter().filter(|member| Some(&member.id) != but).cloned().collect();
    for members in [&voters, &after] {
        let (well, needed) = (well(wanted, members), members.len() / 2 + 1);
        if well < needed {
            return Err(format!(
                "{well} of {} members of etcd are well, and {needed} are needed to change them",
                members.len()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(name: &str) -> String {
        format!("https://{name}:2380")
    }

    /// `m1` is well, `m2!` is not, `m3-` has no data.
    fn wanted(hosts: &[&str]) -> Vec<Wanted> {
        let of = |text: &&str| {
            let name = text.trim_end_matches(['!', '-']);
            let has_data = !text.ends_with('-');
            let well = has_data && !text.ends_with('!');
            Wanted { host: HostName::parse(name).unwrap(), peer_url: url(name), has_data, well }
        };
        hosts.iter().map(of).collect()
    }

    /// `m1` is a voter, `m2~` a learner that runs, `m2?` one that was never started.
    fn known(members: &[&str]) -> Vec<Known> {
        let of = |text: &&str| {
            let name = text.trim_end_matches(['~', '?']);
            Known {
                id: format!("id-{name}"),
                name: if text.ends_with('?') { String::new() } else { name.to_owned() },
                peer_urls: vec![url(name)],
                learner: text.ends_with(['~', '?']),
            }
        };
        members.iter().map(of).collect()
    }

    fn told(hosts: &[&str], members: &[&str]) -> String {
        match next(&wanted(hosts), &known(members)) {
            Ok(None) => "nothing".into(),
            Ok(Some(MembershipStep::Remove { id, .. })) => format!("remove {id}"),
            Ok(Some(MembershipStep::Add { host })) => format!("add {host}"),
            Ok(Some(MembershipStep::Start { host })) => format!("start {host}"),
            Ok(Some(MembershipStep::Promote { id, .. })) => format!("promote {id}"),
            Err(why) => why,
        }
    }

    #[test]
    fn one_step_follows_another() {
        let three = ["m1", "m2", "m3"];
        assert_eq!(told(&three, &three), "nothing");
        // A member has lost its data.
        assert_eq!(told(&["m1", "m2-", "m3"], &three), "remove id-m2");
        assert_eq!(told(&["m1", "m2-", "m3"], &["m1", "m3"]), "add m2");
        assert_eq!(told(&["m1", "m2-", "m3"], &["m1", "m3", "m2?"]), "start m2");
        assert_eq!(told(&["m1", "m2!", "m3"], &["m1", "m3", "m2~"]), "promote id-m2");
        // A host takes the place of one that is gone; the one that is gone goes first.
        assert_eq!(told(&["m1", "m3", "m4-"], &three), "remove id-m2");
        // More of them, and fewer.
        assert_eq!(told(&["m1", "m2", "m3", "m4-", "m5-"], &three), "add m4");
        assert_eq!(told(&["m1", "m2", "m3"], &["m1", "m2", "m3", "m4", "m5"]), "remove id-m4");
        // What cannot be done is not tried.
        assert!(told(&["m1", "m2-", "m3!"], &three).contains("1 of 3 members"));
        assert!(told(&["m1", "m2", "m3", "m4"], &three).contains("m4 has data of etcd"));
        // A learner of before that lost its data, or its host.
        assert_eq!(told(&["m1", "m2-", "m3"], &["m1", "m3", "m2~"]), "remove id-m2");
        assert_eq!(told(&["m1", "m3"], &["m1", "m3", "m2~"]), "remove id-m2");
    }

    proptest! {
        /// Whatever is wanted of whatever is there: it ends, and the majority is never lost on the way.
        #[test]
        fn every_way_ends_and_keeps_a_majority(
            hosts in prop::collection::btree_map(0_u8..7, any::<bool>(), 1..6),
            members in prop::collection::btree_set(0_u8..7, 1..6),
        ) {
            let name = |number: &u8| format!("m{number}");
            let mut wanted: Vec<Wanted> = hosts.iter().map(|(number, lost)| {
                let has_data = members.contains(number) && !lost;
                let host = HostName::parse(&name(number)).unwrap();
                Wanted { host, peer_url: url(&name(number)), has_data, well: has_data }
            }).collect();
            let mut known = known(&members.iter().map(name).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>());
            for _ in 0..40 {
                let Ok(step) = next(&wanted, &known) else { return Ok(()) };
                let voters = |known: &[Known]| known.iter().filter(|member| !member.learner).cloned().collect::<Vec<_>>();
                let before = voters(&known);
                match step {
                    None => {
                        let inside = known.iter().all(|member| wanted.iter().any(|host| member.peer_urls.contains(&host.peer_url)));
                        prop_assert!(inside && known.len() == wanted.len());
                        return Ok(());
                    }
                    Some(MembershipStep::Remove { id, .. }) => known.retain(|member| member.id != id),
                    Some(MembershipStep::Add { host }) => known.push(Known {
                        id: format!("new-{host}"), name: String::new(), peer_urls: vec![url(host.as_str())], learner: true,
                    }),
                    Some(MembershipStep::Start { host }) => {
                        for one in wanted.iter_mut().filter(|one| one.host == host) {
                            one.has_data = true;
                            one.well = true;
                        }
                        for member in known.iter_mut().filter(|member| member.peer_urls.contains(&url(host.as_str()))) {
                            member.name = host.to_string();
                        }
                    }
                    Some(MembershipStep::Promote { id, .. }) => {
                        known.iter_mut().filter(|member| member.id == id).for_each(|member| member.learner = false);
                    }
                }
                for members in [&before, &voters(&known)] {
                    prop_assert!(well(&wanted, members) > members.len() / 2, "{members:?} {wanted:?}");
                }
            }
            prop_assert!(false, "no end");
        }
    }
}
