//! Hosts, groups and variables as Ansible has them, whichever file they come from, and which variable wins.

use std::collections::{BTreeMap, BTreeSet};

use crate::migrate::document::Node;
use crate::migrate::draft::At;

/// The group of everybody.
pub(super) const ALL: &str = "all";

/// Variables in the order of the files; the last of a name counts.
pub(super) type Variables = Vec<(String, Node)>;

/// An inventory of Ansible.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Hosts in the order in which they are first named.
    pub(super) hosts: Vec<Host>,
    /// Groups by name, as [`canonical`] has it.
    pub(super) groups: BTreeMap<String, Group>,
}

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    /// Its name.
    pub(super) name: String,
    /// Where it is first named.
    pub(super) at: At,
    /// Variables of the inventory file.
    pub(super) inline: Variables,
    /// Variables of `host_vars/`.
    pub(super) files: Variables,
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Its own hosts.
    pub(super) hosts: BTreeSet<String>,
    /// Groups whose hosts are its own, too.
    pub(super) children: BTreeSet<String>,
    /// Variables of the inventory file.
    pub(super) inline: Variables,
    /// Variables of `group_vars/`.
    pub(super) files: Variables,
}

/// The name of a group as kubespray writes it today: before, it had hyphens, and masters.
pub(super) fn canonical(name: &str) -> String {
    match name.replace('-', "_").as_str() {
        "kube_master" => "kube_control_plane".to_owned(),
        other => other.to_owned(),
    }
}

impl Inventory {
    /// The host of that name, made when it is new.
    pub(super) fn host(&mut self, name: &str, at: &At) -> &mut Host {
        let index = self.hosts.iter().position(|host| host.name == name).unwrap_or_else(|| {
            let (inline, files) = (Variables::new(), Variables::new());
            self.hosts.push(Host { name: name.to_owned(), at: at.clone(), inline, files });
            self.hosts.len() - 1
        });
        &mut self.hosts[index]
    }

    /// The group of that name, made when it is new.
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(canonical(name)).or_default()
    }

    /// Whether `host` is in `group` or in a group below it.
    pub(super) fn is_in(&self, host: &str, group: &str) -> bool {
        self.above(host).contains_key(group)
    }

    /// Variables that hold for all of the cluster: of everybody, of kubespray's own groups, and of those above them.
    pub(super) fn of_cluster(&self) -> Variables {
        let mut groups: BTreeMap<String, usize> = BTreeMap::from([(ALL.to_owned(), 0)]);
        for group in ["k8s_cluster", "etcd", "kube_control_plane"] {
            for (name, depth) in self.chain(BTreeSet::from([group.to_owned()])) {
                groups.insert(name, depth);
            }
        }
        self.layers(&groups)
    }

    /// Variables of one host.
    pub(super) fn of_host(&self, host: &Host) -> Variables {
        let mut variables = self.layers(&self.above(&host.name));
        variables.extend(host.inline.iter().chain(&host.files).cloned());
        variables
    }

    /// The groups whose variables are not all of the cluster's: those of some hosts only.
    pub(super) fn of_some(&self) -> impl Iterator<Item = &(String, Node)> {
        let cluster: BTreeSet<String> = ["k8s_cluster", "etcd", "kube_control_plane"]
            .into_iter()
            .flat_map(|group| self.chain(BTreeSet::from([group.to_owned()])).into_keys())
            .chain([ALL.to_owned()])
            .collect();
        let groups = self.groups.iter().filter(move |(name, _)| !cluster.contains(*name));
        let of_groups = groups.flat_map(|(_, group)| group.inline.iter().chain(&group.files));
        of_groups.chain(self.hosts.iter().flat_map(|host| host.inline.iter().chain(&host.files)))
    }

    /// The order of Ansible: the inventory file before `group_vars/`, everybody before groups, groups before those in
    /// them.
    fn layers(&self, groups: &BTreeMap<String, usize>) -> Variables {
        let mut names: Vec<(&String, &usize)> = groups.iter().collect();
        names.sort_by_key(|(name, depth)| (**depth, *name));
        let known = || names.iter().filter_map(|(name, _)| self.groups.get(*name).map(|group| (*name == ALL, group)));
        let inline = known().flat_map(|(_, group)| &group.inline);
        let files = known().flat_map(|(_, group)| &group.files);
        inline.chain(files).cloned().collect()
    }

    /// The groups of a host, with how far each is below that of everybody.
    fn above(&self, host: &str) -> BTreeMap<String, usize> {
        let own = self.groups.iter().filter(|(_, group)| group.hosts.contains(host)).map(|(name, _)| name.clone());
        self.chain(own.collect())
    }

    /// `groups` and every group above them, with depths.
    fn chain(&self, mut groups: BTreeSet<String>) -> BTreeMap<String, usize> {
        loop {
            let above = self.groups.iter().filter(|(_, group)| !group.children.is_disjoint(&groups));
            let more: Vec<String> = above.map(|(name, _)| name.clone()).filter(|name| !groups.contains(name)).collect();
            if more.is_empty() {
                break;
            }
            groups.extend(more);
        }
        groups.insert(ALL.to_owned());
        let mut known = BTreeMap::new();
        groups.into_iter().map(|name| (name.clone(), self.depth(&name, &mut known))).collect()
    }

    /// How far a group is below that of everybody. What is known of a group is asked for once: the ways up may be more
    /// than anybody can count. Groups in a circle, which Ansible refuses, end it.
    fn depth(&self, name: &str, known: &mut BTreeMap<String, usize>) -> usize {
        if name == ALL {
            return 0;
        }
        if let Some(depth) = known.get(name) {
            return *depth;
        }
        known.insert(name.to_owned(), 0);
        let parents = self.groups.iter().filter(|(parent, group)| *parent != ALL && group.children.contains(name));
        let depth = 1 + parents.map(|(parent, _)| self.depth(parent, known)).max().unwrap_or_default();
        known.insert(name.to_owned(), depth);
        depth
    }
}

/// The value of a variable: the last one of its name.
pub(super) fn value<'v>(variables: &'v Variables, name: &str) -> Option<&'v Node> {
    variables.iter().rev().find(|(key, _)| key == name).map(|(_, node)| node)
}

#[cfg(test)]
mod tests {
    use super::super::ini;
    use super::*;

    const TEXT: &str = "\
[all]
n1 v=host
n2
[k8s-cluster:children]
kube_node
kube-master
[kube-master]
n1
[kube_node]
n2
[rack]
n2
[all:vars]
v=all
w=all
[k8s-cluster:vars]
v=cluster
[kube_node:vars]
v=node
[rack:vars]
w=rack
";

    #[test]
    fn what_is_nearer_wins() {
        let (inventory, problems) = ini::read("hosts.ini", TEXT);
        assert_eq!(problems, []);
        let of = |host: usize, name: &str| {
            let variables = inventory.of_host(&inventory.hosts[host]);
            value(&variables, name).and_then(|node| node.text().map(str::to_owned))
        };
        assert_eq!(of(0, "v").as_deref(), Some("host"));
        assert_eq!(of(1, "v").as_deref(), Some("node"));
        assert_eq!(of(0, "w").as_deref(), Some("all"));
        assert_eq!(of(1, "w").as_deref(), Some("rack"));
        assert_eq!(value(&inventory.of_cluster(), "v").unwrap().text(), Some("cluster"));
        assert!(inventory.is_in("n1", "kube_control_plane") && inventory.is_in("n1", "k8s_cluster"));
        assert!(!inventory.is_in("n1", "kube_node"));
        let some: Vec<&str> = inventory.of_some().map(|(name, _)| name.as_str()).collect();
        assert_eq!(some, ["v", "w", "v"]);
    }

    #[test]
    fn groups_with_many_ways_up_are_looked_at_once() {
        let children = |level: usize| format!("a{level}\nb{level}\n");
        let groups = (0..60).map(|level| {
            let below = children(level + 1);
            format!("[a{level}:children]\n{below}[b{level}:children]\n{below}")
        });
        let (inventory, _) = ini::read("a", &format!("{}[a60]\nx\n", groups.collect::<String>()));
        assert!(inventory.is_in("x", "b0"));
        assert_eq!(inventory.above("x").get("a60"), Some(&61));
    }

    #[test]
    fn a_circle_of_groups_ends() {
        let (inventory, _) = ini::read("a", "[a:children]\nb\n[b:children]\na\n[a]\nx\n");
        assert!(inventory.is_in("x", "b"));
    }
}
