//! Ansible's YAML inventories: groups with `hosts`, `children` and `vars`, in each other.

use super::groups::{ALL, Inventory, Variables, canonical};
use super::ini;
use crate::migrate::document::{self, Node};
use crate::migrate::draft::Problem;

/// Reads an inventory, and everything that is wrong with it.
pub(super) fn read(file: &str, text: &str) -> (Inventory, Vec<Problem>) {
    let mut inventory = Inventory::default();
    let documents = match document::read(file, text) {
        Ok(documents) => documents,
        Err(problem) => return (inventory, vec![problem]),
    };
    let mut problems = Vec::new();
    for (name, node) in documents.iter().flat_map(Node::entries) {
        group(&mut inventory, name, node, &mut problems);
    }
    (inventory, problems)
}

fn group(inventory: &mut Inventory, name: &str, node: &Node, problems: &mut Vec<Problem>) {
    inventory.group(name);
    for (key, below) in node.entries() {
        match key.as_str() {
            "hosts" => hosts(inventory, name, below, problems),
            "vars" => inventory.group(name).inline.extend(below.entries().iter().cloned()),
            "children" => {
                for (child, below) in below.entries() {
                    if name != ALL {
                        inventory.group(name).children.insert(canonical(child));
                    }
                    group(inventory, child, below, problems);
                }
            }
            // Kubespray's oldest inventories have hosts right below the group.
            _ => host(inventory, name, key, below, problems),
        }
    }
}

fn hosts(inventory: &mut Inventory, group: &str, node: &Node, problems: &mut Vec<Problem>) {
    for (pattern, below) in node.entries() {
        host(inventory, group, pattern, below, problems);
    }
}

fn host(inventory: &mut Inventory, group: &str, pattern: &str, node: &Node, problems: &mut Vec<Problem>) {
    let names = match ini::expand(pattern) {
        Ok(names) => names,
        Err(what) => return problems.push(Problem::at(node.at.clone(), what, "write a host's name, or a range [1:3]")),
    };
    let variables: Variables = node.entries().to_vec();
    for name in names {
        inventory.host(&name, &node.at).inline.extend(variables.iter().cloned());
        if group != ALL {
            inventory.group(group).hosts.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_in_each_other() {
        let text = "\
all:
  hosts:
    node1: {ansible_host: 10.0.0.1}
    n[2:3]:
  vars: {x: 1}
  children:
    kube-master: {hosts: {node1: }}
    k8s-cluster:
      children:
        kube-master:
        kube-node: {hosts: {n2: {ip: 10.0.0.2}, n3: }, vars: {x: 2}}
";
        let (mut inventory, problems) = read("hosts.yaml", text);
        assert_eq!(problems, []);
        let names: Vec<(&str, String)> =
            inventory.hosts.iter().map(|host| (host.name.as_str(), host.at.to_string())).collect();
        let places = ["hosts.yaml:3", "hosts.yaml:4", "hosts.yaml:4"].map(str::to_owned);
        assert_eq!(names, ["node1", "n2", "n3"].into_iter().zip(places).collect::<Vec<_>>());
        assert!(inventory.is_in("node1", "k8s_cluster") && inventory.is_in("n3", "kube_node"));
        assert_eq!(inventory.group("kube-node").inline.len(), 1);
        assert_eq!(inventory.hosts[1].inline[0].1.text(), Some("10.0.0.2"));
    }
}
