//! The variables of a cluster, one after the other, and what becomes of those that nobody asked for.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::groups::{Inventory, Variables, value};
use super::{hosts, table};
use crate::migrate::document::{Node, Value};
use crate::migrate::draft::{At, Draft, Setting, UNKNOWN};

/// Why an expression is not carried over.
const EXPRESSION: &str = "an expression (Jinja), which only Ansible can evaluate: set by hand what it stands for";
/// Why a secret is not.
const SECRET: &str = "encrypted by Ansible Vault: set by hand what needs it";
/// Why a value is not that is none of those that kubespray knows.
const UNREADABLE: &str = "the value is none that is understood here: set it by hand";

/// Hands out variables, and notes which were asked for.
pub(super) struct Reader<'d> {
    /// What is being made.
    pub(super) draft: &'d mut Draft,
    variables: Variables,
    used: BTreeSet<&'static str>,
}

impl<'d> Reader<'d> {
    /// A reader of the variables that hold for all of the cluster.
    pub(super) fn new(draft: &'d mut Draft, variables: Variables) -> Self {
        Self { draft, variables, used: BTreeSet::new() }
    }

    /// The value of a variable, where it is set and can be read.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Node> {
        self.used.insert(name);
        let node = value(&self.variables, name)?.clone();
        readable(name, node, self.draft)
    }

    /// The value of a variable as it stands, whether it can be read or not.
    pub(super) fn peek(&mut self, name: &'static str) -> Option<&Node> {
        self.used.insert(name);
        value(&self.variables, name)
    }

    /// The value as `read` understands it.
    pub(super) fn read<T>(&mut self, name: &'static str, read: impl Fn(&Node) -> Option<T>) -> Option<(T, At)> {
        let node = self.take(name)?;
        let read = read(&node);
        if read.is_none() {
            self.draft.leave(name, &node.at, UNREADABLE);
        }
        Some((read?, node.at))
    }

    /// Text.
    pub(super) fn text(&mut self, name: &'static str) -> Option<(String, At)> {
        self.read(name, |node| node.text().map(str::to_owned))
    }

    /// Yes or no.
    pub(super) fn switch(&mut self, name: &'static str) -> Option<(bool, At)> {
        self.read(name, Node::switch)
    }

    /// Whether a variable says yes. What it says by default is for whoever asks to know.
    pub(super) fn is_on(&mut self, name: &'static str) -> bool {
        self.switch(name).is_some_and(|(on, _)| on)
    }

    /// A number.
    pub(super) fn number(&mut self, name: &'static str) -> Option<(u64, At)> {
        self.read(name, Node::number)
    }

    /// Texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<(Vec<String>, At)> {
        self.read(name, |node| Some(node.texts()).filter(|texts| !texts.is_empty()))
    }

    /// Sets `field` to what the variable `name` says, or to kubespray's own default. One that says something else which
    /// cannot be read is for the user to look at.
    pub(super) fn set(
        &mut self,
        field: &'static str,
        name: &'static str,
        found: Option<(impl Into<Json>, At)>,
        default: impl Into<Json>,
    ) -> &mut Setting {
        let said = self.peek(name).filter(|node| !node.is_empty()).map(|node| node.at.clone());
        match (found, said) {
            (Some((found, at)), _) => self.draft.set(field, found, Some(&at)),
            (None, said) => {
                let setting = self.draft.set(field, default, said.as_ref());
                match said {
                    Some(_) => {
                        setting.change_me = Some(format!("{name} could not be read; this is kubespray's default"))
                    }
                    None => setting.note = Some("kubespray's default".into()),
                }
                setting
            }
        }
    }

    /// Leaves every variable out that nobody has asked for, and says which were.
    pub(super) fn finish(self) -> BTreeSet<&'static str> {
        let mut told = BTreeSet::new();
        for (name, _) in &self.variables {
            if self.used.contains(name.as_str()) || hosts::KEYS.contains(&name.as_str()) || !told.insert(name.clone()) {
                continue;
            }
            if let Some(node) = value(&self.variables, name) {
                leave(name, node, self.draft);
            }
        }
        self.used
    }
}

/// A variable that can be read as it is. What cannot is left out.
pub(super) fn readable(name: &str, node: Node, draft: &mut Draft) -> Option<Node> {
    if is_secret(&node) {
        draft.leave(name, &node.at, SECRET);
    } else if is_expression(&node) {
        draft.leave(name, &node.at, EXPRESSION);
    } else if !node.is_empty() {
        return Some(node);
    }
    None
}

/// Leaves variables out that are set for some hosts only.
pub(super) fn of_some(inventory: &Inventory, used: &BTreeSet<&'static str>, draft: &mut Draft) {
    for (name, node) in inventory.of_some() {
        if hosts::KEYS.contains(&name.as_str()) || node.is_empty() {
            continue;
        }
        if used.contains(name.as_str()) {
            draft.leave(name, &node.at, "set for some hosts only; the inventory has one value for all of the cluster");
        } else {
            leave(name, node, draft);
        }
    }
}

/// Leaves a variable out, unless it asks for nothing.
fn leave(name: &str, node: &Node, draft: &mut Draft) {
    let off = node.switch() == Some(false) && table::is_switch(name);
    if node.is_empty() || off {
        return;
    }
    match table::why(name) {
        Some(why) => draft.leave(name, &node.at, why),
        None if is_secret(node) => draft.leave(name, &node.at, SECRET),
        None => draft.leave(name, &node.at, UNKNOWN),
    }
}

fn is_expression(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.contains("{{") || text.contains("{%"),
        Value::List(items) => items.iter().any(is_expression),
        Value::Map(entries) => entries.iter().any(|(key, node)| key.contains("{{") || is_expression(node)),
        Value::Null | Value::Secret => false,
    }
}

fn is_secret(node: &Node) -> bool {
    match &node.value {
        Value::Secret => true,
        Value::List(items) => items.iter().any(is_secret),
        Value::Map(entries) => entries.iter().any(|(_, node)| is_secret(node)),
        Value::Null | Value::Text(_) => false,
    }
}
