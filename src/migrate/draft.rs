//! What was found in another tool's inventory, in the nouns of ours: hosts, settings with where each comes from, and what
//! has no place in it. Nothing here knows any tool.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::cluster::{
    LabelKey, LabelValue, Labels, Role, Roles, Taint, TaintEffect, is_of_controllers, kept_prefix, reserved_label,
};

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::migrate) struct At {
    file: String,
    line: Option<usize>,
}

impl At {
    /// A file as a whole.
    pub(in crate::migrate) fn file(file: &str) -> Self {
        Self { file: file.to_owned(), line: None }
    }

    /// The file, without `base` before it, and the line.
    pub(in crate::migrate) fn below(&self, base: Option<&str>) -> (&str, Option<usize>) {
        let short = base.and_then(|base| self.file.strip_prefix(base)).map(|name| name.trim_start_matches('/'));
        (short.unwrap_or(&self.file), self.line)
    }

    /// A line of a file, from 1.
    pub(in crate::migrate) fn line(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Why there can be no inventory, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    at: At,
    what: String,
    hint: String,
}

impl Problem {
    /// A problem at a place of the source.
    pub(in crate::migrate) fn at(at: At, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at, what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.what, self.hint)
    }
}

/// Why something is left out that loses nothing.
pub(in crate::migrate) const NEEDLESS: &str =
    "without loss, because kubewright has places, downloads and defaults of its own";

/// Why something is left out that no table knows.
pub(in crate::migrate) const UNKNOWN: &str = "no counterpart is known";

/// A value for a field of our inventory.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::migrate) struct Setting {
    /// The field, as a chain of keys below `spec`.
    pub(in crate::migrate) field: &'static str,
    /// Its value.
    pub(in crate::migrate) value: Value,
    /// Where it comes from; nowhere when it is the other tool's default.
    pub(in crate::migrate) at: Option<At>,
    /// What to say behind it.
    pub(in crate::migrate) note: Option<String>,
    /// What somebody has to decide.
    pub(in crate::migrate) change_me: Option<String>,
}

/// What was not carried over, and why. Never with its value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::migrate) struct NotCarried {
    /// What the source calls it, and where it is.
    pub(in crate::migrate) keys: Vec<(String, At)>,
    /// Why, and what to do instead.
    pub(in crate::migrate) why: String,
}

/// A host as found.
#[derive(Debug, Clone)]
pub(in crate::migrate) struct HostDraft {
    /// Its name.
    pub(in crate::migrate) name: String,
    /// Where it is in the source.
    pub(in crate::migrate) at: At,
    /// The address by which the other hosts reach it.
    pub(in crate::migrate) address: Option<String>,
    /// What it does.
    pub(in crate::migrate) roles: Roles,
    /// Its data centre.
    pub(in crate::migrate) idc: Option<String>,
    /// Its rack.
    pub(in crate::migrate) rack: Option<String>,
    /// Labels of the node.
    pub(in crate::migrate) labels: Labels,
    /// Taints of the node.
    pub(in crate::migrate) taints: Vec<Taint>,
    /// How to log in.
    pub(in crate::migrate) login: Login,
    /// What somebody has to decide.
    pub(in crate::migrate) change_me: Option<String>,
}

/// How to log in, by the fields of `ssh`.
pub(in crate::migrate) type Login = BTreeMap<&'static str, Value>;

/// An inventory in the making.
#[derive(Debug, Clone)]
pub(in crate::migrate) struct Draft {
    /// The other tool.
    pub(in crate::migrate) tool: Tool,
    /// Its inventory, as the user named it.
    pub(in crate::migrate) from: String,
    /// The directory of its files, which comments leave out of their names.
    pub(in crate::migrate) base: Option<String>,
    /// A name for the cluster.
    pub(in crate::migrate) name: Option<String>,
    /// The version of Kubernetes there.
    pub(in crate::migrate) version: Option<String>,
    /// Settings in the order in which they were found.
    pub(in crate::migrate) settings: Vec<Setting>,
    /// Hosts in the order of the source.
    pub(in crate::migrate) hosts: Vec<HostDraft>,
    /// What has no place.
    pub(in crate::migrate) not_carried: Vec<NotCarried>,
    /// What keeps it from becoming an inventory.
    pub(in crate::migrate) problems: Vec<Problem>,
}

/// A tool that inventories come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::migrate) struct Tool {
    /// Its name.
    pub(in crate::migrate) name: &'static str,
    /// How it takes its cluster away from the hosts.
    pub(in crate::migrate) reset: &'static str,
}

impl Draft {
    /// One in which nothing has been found yet.
    pub(in crate::migrate) fn new(tool: Tool, from: &str) -> Self {
        Self {
            tool,
            from: from.to_owned(),
            base: None,
            name: None,
            version: None,
            settings: Vec::new(),
            hosts: Vec::new(),
            not_carried: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Carries a value over. What is said about it can be added to what is returned.
    pub(in crate::migrate) fn set(
        &mut self,
        field: &'static str,
        value: impl Into<Value>,
        at: Option<&At>,
    ) -> &mut Setting {
        self.settings.retain(|setting| setting.field != field);
        let setting = Setting { field, value: value.into(), at: at.cloned(), note: None, change_me: None };
        self.settings.push(setting);
        let last = self.settings.len() - 1;
        &mut self.settings[last]
    }

    /// Leaves something out. What is left out for the same reason is told together.
    pub(in crate::migrate) fn leave(&mut self, key: impl Into<String>, at: &At, why: impl Into<String>) {
        let (key, why) = ((key.into(), at.clone()), why.into());
        match self.not_carried.iter_mut().find(|other| other.why == why) {
            Some(same) if same.keys.contains(&key) => {}
            Some(same) => same.keys.push(key),
            None => self.not_carried.push(NotCarried { keys: vec![key], why }),
        }
    }

    /// Notes what keeps the source from becoming an inventory.
    pub(in crate::migrate) fn problem(&mut self, at: &At, what: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::at(at.clone(), what, hint));
    }

    /// Gives every master the role of a worker when nobody else has it: an inventory needs one.
    pub(in crate::migrate) fn find_workers(&mut self) {
        if self.hosts.iter().any(|host| host.roles.contains(Role::Worker)) {
            return;
        }
        for host in self.hosts.iter_mut().filter(|host| host.roles.contains(Role::ControlPlane)) {
            host.roles = host.roles.iter().chain([Role::Worker]).collect();
            host.change_me = Some("nobody is a worker there: the control plane runs pods, too".into());
        }
    }

    /// Moves what most hosts have in common of their logins to the settings of the cluster, which the others override. A
    /// field that a host lacks stays with those that have it.
    pub(in crate::migrate) fn share_logins(&mut self) {
        for (field, shared) in [
            ("user", "ssh.user"),
            ("port", "ssh.port"),
            ("identityFile", "ssh.identityFile"),
            ("becomePassword", "ssh.becomePassword"),
            ("bastion", "ssh.bastion"),
        ] {
            let values: Option<Vec<Value>> = self.hosts.iter().map(|host| host.login.get(field).cloned()).collect();
            let values = values.unwrap_or_default();
            let count = |value: &Value| values.iter().filter(|other| *other == value).count();
            // Of two that are as frequent, the first one of the source.
            let Some(most) = values.iter().rev().max_by_key(|value| count(value)).cloned() else { continue };
            for host in &mut self.hosts {
                if host.login.get(field) == Some(&most) {
                    host.login.remove(field);
                }
            }
            self.set(shared, most, None);
        }
    }
}

impl HostDraft {
    /// A host of which only the name is known.
    pub(in crate::migrate) fn new(name: &str, at: &At) -> Self {
        Self {
            name: name.to_owned(),
            at: at.clone(),
            address: None,
            roles: Roles::default(),
            idc: None,
            rack: None,
            labels: Labels::new(),
            taints: Vec::new(),
            login: Login::new(),
            change_me: None,
        }
    }

    /// Adds a label, or says why not. The zone is our data centre; labels that follow from other fields are no loss.
    pub(in crate::migrate) fn label(&mut self, key: &str, value: &str) -> Result<(), String> {
        if key == "topology.kubernetes.io/zone" && !value.is_empty() {
            self.idc = Some(LabelValue::parse(value)?.to_string());
            return Ok(());
        }
        if key == "topology.kubewright.dev/rack" && !value.is_empty() {
            self.rack = Some(LabelValue::parse(value)?.to_string());
            return Ok(());
        }
        if let Some(why) = kept_prefix(key) {
            return Err(format!("{key}: {why}"));
        }
        if reserved_label(key).is_none() {
            self.labels.insert(LabelKey::parse(key)?, LabelValue::parse(value)?);
        }
        Ok(())
    }

    /// Adds a taint, or says why not. That of the control plane follows from the roles.
    pub(in crate::migrate) fn taint(&mut self, key: &str, value: &str, effect: &str) -> Result<(), String> {
        let master = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"].contains(&key);
        if master && effect == "NoSchedule" {
            return Ok(());
        }
        if is_of_controllers(key) {
            return Err(format!("{key}: Kubernetes puts it on and takes it off"));
        }
        let effect = match effect {
            "NoSchedule" => TaintEffect::NoSchedule,
            "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
            "NoExecute" => TaintEffect::NoExecute,
            other => return Err(format!("{other:?} is no effect of a taint")),
        };
        let taint = Taint { key: LabelKey::parse(key)?, value: LabelValue::parse(value)?, effect };
        if self.taints.iter().all(|other| (&other.key, other.effect) != (&taint.key, taint.effect)) {
            self.taints.push(taint);
        }
        Ok(())
    }

    /// Adds a taint in kubectl's notation, `key=value:effect`, or says why not.
    pub(in crate::migrate) fn taint_text(&mut self, text: &str) -> Result<(), String> {
        let (key, effect) = text.rsplit_once(':').ok_or_else(|| format!("{text:?} has no effect"))?;
        let (key, value) = key.split_once('=').unwrap_or((key, ""));
        self.taint(key, value, effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nobodys_to_set_is_told_and_what_follows_is_not() {
        let mut host = HostDraft::new("n1", &At::file("hosts.yaml"));
        assert_eq!(host.label("function", "online"), Ok(()));
        assert_eq!(host.label("node-role.kubernetes.io/worker", ""), Ok(()), "it follows from the roles");
        assert!(host.label("kubernetes.io/rack", "r1").unwrap_err().contains("Kubernetes keeps its prefix"));
        assert!(host.taint("node.kubernetes.io/unschedulable", "", "NoSchedule").is_err());
        assert_eq!(host.taint_text("dedicated=db:NoExecute"), Ok(()));
        assert_eq!((host.labels.len(), host.taints.len()), (1, 1));
    }
}
