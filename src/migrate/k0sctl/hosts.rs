//! Hosts of k0sctl: roles, addresses, logins, and the flags of `k0s install` that mark nodes.

use std::net::IpAddr;

use serde_json::json;

use super::{table, text};
use crate::cluster::{Role, Roles};
use crate::migrate::document::Node;
use crate::migrate::draft::{Draft, HostDraft, Login};
use crate::migrate::rest;

/// Carries the hosts over.
pub(super) fn carry(spec: &Node, draft: &mut Draft) {
    let mut made_up = false;
    for (index, node) in spec.get("hosts").map(Node::items).unwrap_or_default().iter().enumerate() {
        let key = format!("hosts[{index}]");
        if node.get("reset").and_then(Node::switch) == Some(true) {
            draft.leave(key, &node.at, "k0sctl is to take this host out of the cluster (`reset: true`)");
            continue;
        }
        let windows = node.get("winRM").is_some() || node.get("os").and_then(Node::text) == Some("windows");
        if windows {
            draft.leave(key, &node.at, "hosts run Linux");
            continue;
        }
        let Some(roles) = roles(node, &key, draft) else { continue };
        let mut host = host(node, &key, roles, draft);
        if host.name.is_empty() {
            host.name = next_name(&host.roles, draft);
            if !std::mem::replace(&mut made_up, true) {
                host.change_me = Some("the names of hosts without `hostname` are made up: k0s asks the hosts".into());
            }
        }
        draft.hosts.push(host);
        rest::leave(draft, &key, node, table::HOST);
    }
}

fn roles(node: &Node, key: &str, draft: &mut Draft) -> Option<Roles> {
    let free = node.get("noTaints").and_then(Node::switch) == Some(true) || flag(node, "no-taints").is_some();
    let roles: &[Role] = match node.get("role").and_then(Node::text) {
        Some("single") => &[Role::ControlPlane, Role::Etcd, Role::Worker],
        Some("controller+worker") if free => &[Role::ControlPlane, Role::Etcd, Role::Worker],
        // A control plane that is no worker is a node with a taint here.
        Some("controller" | "controller+worker") => &[Role::ControlPlane, Role::Etcd],
        Some("worker") => &[Role::Worker],
        _ => {
            let hint = "write controller, controller+worker, worker or single";
            draft.problem(&node.at, format!("the role of {key} is none of k0sctl's"), hint);
            return None;
        }
    };
    Some(roles.iter().copied().collect())
}

fn host(node: &Node, key: &str, roles: Roles, draft: &mut Draft) -> HostDraft {
    let ssh = node.get("ssh").or_else(|| node.get("openSSH"));
    let dialled = text(ssh.and_then(|ssh| ssh.get("address")), &format!("{key}.ssh.address"), draft);
    let own = text(node.get("privateAddress"), &format!("{key}.privateAddress"), draft);
    let is_address = |text: &String| text.parse::<IpAddr>().is_ok();
    let name = text(node.get("hostname"), &format!("{key}.hostname"), draft);
    // A name that is dialled is most often the host's own, too.
    let dialled_name =
        dialled.clone().filter(|text| !is_address(text)).and_then(|text| text.split('.').next().map(str::to_owned));
    let mut host = HostDraft::new(&name.or(dialled_name).unwrap_or_default(), &node.at);
    host.roles = roles;
    host.address = own.clone().or_else(|| dialled.clone().filter(is_address));
    match &host.address {
        None => {
            let hint = "give it `privateAddress`, or an address as `ssh.address`";
            draft.problem(&node.at, format!("nothing says the address of {key}"), hint);
        }
        Some(_) if own.is_none() => {
            if let Some(interface) = node.get("privateInterface").filter(|interface| !interface.is_empty()) {
                let why = "the address is that of `ssh`: write the one of this interface instead, where it differs";
                draft.leave(format!("{key}.privateInterface"), &interface.at, why);
            }
        }
        Some(_) => {}
    }
    host.login = ssh.map(|ssh| login(ssh, key, draft)).unwrap_or_default();
    if let Some(dialled) = dialled.filter(|dialled| host.address.as_ref() != Some(dialled)) {
        host.login.insert("host", json!(dialled));
    }
    if node.at_path("localhost.enabled").and_then(Node::switch) == Some(true) {
        draft.leave(format!("{key}.localhost"), &node.at, "every host is reached over SSH, this machine as well");
    }
    marks(node, key, &mut host, draft);
    host
}

fn login(ssh: &Node, key: &str, draft: &mut Draft) -> Login {
    let mut login = Login::new();
    let user = text(ssh.get("user"), &format!("{key}.ssh.user"), draft);
    login.insert("user", json!(user.unwrap_or_else(|| "root".into())));
    let port = ssh.get("port").and_then(Node::number::<u16>).filter(|port| *port != 22);
    login.extend(port.map(|port| ("port", json!(port))));
    let file = text(ssh.get("keyPath"), &format!("{key}.ssh.keyPath"), draft);
    login.extend(file.map(|file| ("identityFile", json!(file))));
    let mut hops = Vec::new();
    let mut at = ssh.get("bastion").filter(|bastion| !bastion.is_empty());
    while let Some(bastion) = at {
        if let Some(address) = text(bastion.get("address"), &format!("{key}.ssh.bastion.address"), draft) {
            let user = bastion.get("user").and_then(Node::text).map_or_else(String::new, |user| format!("{user}@"));
            let port = bastion.get("port").and_then(Node::number::<u16>).filter(|port| *port != 22);
            let address = if address.contains(':') { format!("[{address}]") } else { address };
            hops.push(format!("{user}{address}{}", port.map_or_else(String::new, |port| format!(":{port}"))));
        }
        if let Some(file) = bastion.get("keyPath").filter(|file| !file.is_empty()) {
            let why = "the key of a bastion comes from the agent or ~/.ssh/config";
            draft.leave(format!("{key}.ssh.bastion.keyPath"), &file.at, why);
        }
        // The nearest one is the innermost.
        at = bastion.get("bastion").filter(|bastion| !bastion.is_empty());
    }
    hops.reverse();
    match hops.as_slice() {
        [] => {}
        [one] => drop(login.insert("bastion", json!(one))),
        several => drop(login.insert("bastion", json!(several))),
    }
    login
}

/// Labels and taints, which are flags of `k0s install`.
fn marks(node: &Node, key: &str, host: &mut HostDraft, draft: &mut Draft) {
    let Some(flags) = node.get("installFlags") else { return };
    for (name, value) in install_flags(node) {
        let place = format!("{key}.installFlags.--{name}");
        let result = match name.as_str() {
            "labels" => each(&value, |label| {
                let (key, value) = label.split_once('=').unwrap_or((label, ""));
                host.label(key, value)
            }),
            "taints" => each(&value, |taint| host.taint_text(taint)),
            "no-taints" | "enable-worker" => Ok(()),
            _ => Err("a flag of k0s".into()),
        };
        if let Err(why) = result {
            draft.leave(place, &flags.at, format!("no counterpart: {why}"));
        }
    }
}

fn each(list: &str, mut mark: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).try_for_each(&mut mark)
}

fn flag(node: &Node, name: &str) -> Option<String> {
    install_flags(node).into_iter().find(|(flag, _)| flag == name).map(|(_, value)| value)
}

/// Flags with their values, which stand behind `=`, behind a blank, or in the next element.
fn install_flags(node: &Node) -> Vec<(String, String)> {
    let mut flags: Vec<(String, String)> = Vec::new();
    for text in node.get("installFlags").map(Node::texts).unwrap_or_default() {
        let text = text.trim();
        match text.strip_prefix("--") {
            Some(flag) => {
                let (name, value) = flag.split_once(['=', ' ']).unwrap_or((flag, ""));
                flags.push((name.to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()));
            }
            None => {
                if let Some((_, value)) = flags.last_mut().filter(|(_, value)| value.is_empty()) {
                    *value = text.trim_matches(['"', '\'']).to_owned();
                }
            }
        }
    }
    flags
}

/// A name for a host whose own is not known: `controller-1`, `worker-12`.
fn next_name(roles: &Roles, draft: &Draft) -> String {
    let kind = if roles.contains(Role::ControlPlane) { "controller" } else { "worker" };
    let free = |name: &String| draft.hosts.iter().all(|host| host.name != *name);
    (1..).map(|number| format!("{kind}-{number}")).find(free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::document;

    #[test]
    fn flags_are_written_in_three_ways() {
        let text = "installFlags: [--debug, --labels=a=b, '--taints \"x=y:NoSchedule\"', --profile, big]";
        let flags = install_flags(&document::read("", text).unwrap()[0]);
        let flags: Vec<(&str, &str)> = flags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(flags, [("debug", ""), ("labels", "a=b"), ("taints", "x=y:NoSchedule"), ("profile", "big")]);
    }
}
