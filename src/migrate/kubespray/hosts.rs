//! Hosts: roles by group, addresses, logins, labels, taints.

use std::net::IpAddr;

use serde_json::json;

use super::groups::{Host, Inventory, Variables, value};
use super::reader;
use crate::cluster::{Role, Roles};
use crate::migrate::document::Node;
use crate::migrate::draft::{Draft, HostDraft, Login};

/// Variables that are a host's own, or of no account; wherever they are set, they are looked at here.
pub(super) const KEYS: [&str; 30] = [
    "access_ip",
    "ansible_become",
    "ansible_become_method",
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_become_user",
    "ansible_connection",
    "ansible_host",
    "ansible_password",
    "ansible_port",
    "ansible_private_key_file",
    "ansible_python_interpreter",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_host",
    "ansible_ssh_pass",
    "ansible_ssh_port",
    "ansible_ssh_private_key_file",
    "ansible_ssh_user",
    "ansible_sudo_pass",
    "ansible_user",
    "etcd_member_name",
    "ip",
    "kube_override_hostname",
    "local_as",
    "node_labels",
    "node_taints",
    "peer_with_router_id",
    "peers",
    "rack",
];

const PASSWORD: &str =
    "passwords are never written: logins use keys; for sudo, `ssh.becomePassword` names where one is";

/// Carries the hosts over that are in one of kubespray's groups.
pub(super) fn carry(inventory: &Inventory, draft: &mut Draft) {
    let bastion = bastion(inventory, draft);
    for host in &inventory.hosts {
        let is_in = |group: &str| inventory.is_in(&host.name, group);
        if host.name == "bastion" || is_in("bastion") {
            continue;
        }
        // Whoever only passes routes on is a node of kubespray's, too.
        let (control_plane, worker) = (is_in("kube_control_plane"), is_in("kube_node") || is_in("calico_rr"));
        let roles = [(control_plane, Role::ControlPlane), (is_in("etcd"), Role::Etcd), (worker, Role::Worker)];
        let roles: Roles = roles.into_iter().filter(|(has, _)| *has).map(|(_, role)| role).collect();
        if roles.is_empty() {
            draft.leave(
                host.name.clone(),
                &host.at,
                "the host is in none of the groups kube_control_plane, etcd, kube_node",
            );
            continue;
        }
        let mut carried = self::host(host, &inventory.of_host(host), draft);
        carried.roles = roles;
        if let Some(bastion) = &bastion {
            carried.login.insert("bastion", json!(bastion));
        }
        draft.hosts.push(carried);
    }
    if !draft.hosts.is_empty() && draft.hosts.iter().all(|host| !host.login.contains_key("user")) {
        let change = "nothing says as whom: Ansible takes the name of whoever runs it";
        draft.set("ssh.user", "root", None).change_me = Some(change.into());
    }
}

fn host(host: &Host, variables: &Variables, draft: &mut Draft) -> HostDraft {
    let mut of = Of { variables, draft };
    let name = of.text("kube_override_hostname").unwrap_or_else(|| host.name.clone());
    let mut carried = HostDraft::new(&name, &host.at);
    let dialled = of.text("ansible_host").or_else(|| of.text("ansible_ssh_host"));
    let (own, access) = (of.text("ip"), of.text("access_ip"));
    let is_address = |text: &&String| text.parse::<IpAddr>().is_ok();
    carried.address = own.clone().or_else(|| access.clone());
    if access.is_some_and(|access| own.as_ref().is_some_and(|own| *own != access)) {
        of.leave("access_ip", "hosts reach each other by `ip`, where they also listen; it must be open between them");
    }
    if carried.address.is_none() {
        carried.address = dialled.clone().or_else(|| Some(host.name.clone())).as_ref().filter(is_address).cloned();
        match &carried.address {
            Some(_) => {
                let why = "no `ip`: the address is taken from `ansible_host`, and must be one of the host itself";
                of.draft.leave(host.name.clone(), &host.at, why);
            }
            None => {
                let hint = "give it `ip`, or an `ansible_host` that is an IP address";
                of.draft.problem(&host.at, format!("nothing says the address of {}", host.name), hint);
            }
        }
    }
    let elsewhere = dialled.filter(|dialled| carried.address.as_ref() != Some(dialled));
    carried.login = login(&mut of, elsewhere);
    marks(&mut of, &mut carried);
    if of.node("local_as").is_some() {
        of.leave("local_as", "every node has the number `network.calico.bgp.asNumber`");
    }
    carried
}

fn login(of: &mut Of<'_>, elsewhere: Option<String>) -> Login {
    let mut login = Login::new();
    login.extend(elsewhere.map(|host| ("host", json!(host))));
    let user = of.text("ansible_user").or_else(|| of.text("ansible_ssh_user"));
    login.extend(user.map(|user| ("user", json!(user))));
    let port = of.text("ansible_port").or_else(|| of.text("ansible_ssh_port"));
    login.extend(
        port.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 22).map(|port| ("port", json!(port))),
    );
    let key = of.text("ansible_ssh_private_key_file").or_else(|| of.text("ansible_private_key_file"));
    login.extend(key.map(|key| ("identityFile", json!(key))));
    for name in ["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"] {
        if of.is_set(name) {
            of.leave(name, PASSWORD);
            login.insert("becomePassword", json!({"prompt": true}));
        }
    }
    for name in ["ansible_password", "ansible_ssh_pass"] {
        if of.is_set(name) {
            of.leave(name, PASSWORD);
        }
    }
    for name in ["ansible_ssh_common_args", "ansible_ssh_extra_args"] {
        if of.is_set(name) {
            of.leave(
                name,
                "options of ssh: write `ssh.bastion` for a host to go through, and the rest into ~/.ssh/config",
            );
        }
    }
    login
}

fn marks(of: &mut Of<'_>, host: &mut HostDraft) {
    if let Some(labels) = of.node("node_labels") {
        for (key, node) in labels.entries() {
            if let Err(why) = host.label(key, node.text().unwrap_or_default()) {
                of.draft.leave(format!("node_labels.{key}"), &node.at, format!("no label of Kubernetes: {why}"));
            }
        }
    }
    if let Some(taints) = of.node("node_taints") {
        for node in taints.items() {
            if let Err(why) = host.taint_text(node.text().unwrap_or_default()) {
                of.draft.leave("node_taints", &node.at, format!("no taint of Kubernetes: {why}"));
            }
        }
    }
}

/// The host that all others are reached through, as `ssh.bastion` has it.
fn bastion(inventory: &Inventory, draft: &mut Draft) -> Option<String> {
    let host = inventory.hosts.iter().find(|host| host.name == "bastion" || inventory.is_in(&host.name, "bastion"))?;
    let variables = inventory.of_host(host);
    let mut of = Of { variables: &variables, draft };
    let address = of.text("ansible_host").or_else(|| of.text("ansible_ssh_host")).unwrap_or_else(|| host.name.clone());
    let user = of.text("ansible_user").or_else(|| of.text("ansible_ssh_user"));
    let port = of.text("ansible_port").filter(|port| port != "22");
    let address = if address.contains(':') { format!("[{address}]") } else { address };
    let user = user.map_or_else(String::new, |user| format!("{user}@"));
    Some(format!("{user}{address}{}", port.map_or_else(String::new, |port| format!(":{port}"))))
}

/// The variables of one host.
struct Of<'v> {
    variables: &'v Variables,
    draft: &'v mut Draft,
}

impl Of<'_> {
    fn node(&mut self, name: &str) -> Option<Node> {
        let node = value(self.variables, name)?.clone();
        reader::readable(name, node, self.draft)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.node(name)?.text().map(str::to_owned)
    }

    fn is_set(&self, name: &str) -> bool {
        value(self.variables, name).is_some_and(|node| !node.is_empty())
    }

    fn leave(&mut self, name: &str, why: &str) {
        if let Some(node) = value(self.variables, name) {
            self.draft.leave(name, &node.at, why);
        }
    }
}
