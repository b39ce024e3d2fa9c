//! Values as they were before their first change, in files of the agent's own: `KEY = VALUE`, one a line. A reset gives
//! them back.

use std::collections::BTreeMap;

use super::super::atomic::{self, Attributes};
use super::super::machine::STATE;
use super::super::protocol::Failure;
use super::Context;

/// Values by key.
pub(in crate::host) fn parse(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect()
}

/// Remembers what is not known in the file at `path` yet.
pub(super) fn remember(cx: &Context, path: &str, originals: &[(String, String)]) -> Result<(), Failure> {
    let mut text = cx.machine.text(path)?.unwrap_or_default();
    let known = parse(&text);
    let new = originals.iter().filter(|(key, _)| !known.contains_key(key.as_str()));
    let new: String = new.map(|(key, value)| format!("{key} = {value}\n")).collect();
    if new.is_empty() {
        return Ok(());
    }
    text.push_str(&new);
    cx.machine.own_directory(STATE)?;
    let noted = atomic::write(&cx.machine.root.at(path), text.as_bytes(), Attributes { mode: 0o600, owner: None });
    noted.map_err(|error| Failure::new(format!("writing {path}"), error))
}
