//! Blobs that nothing which stays was made of.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use super::super::super::blob;
use super::super::super::machine::{Machine, found};
use super::super::super::protocol::{Action, Failure};
use super::super::Pending;

/// One change for all of them: their names tell nobody anything.
pub(super) fn observe<'a>(kept: BTreeSet<String>, machine: &Machine) -> Result<Option<Pending<'a>>, Failure> {
    let store = blob::store();
    let digest = |name: &str| name.strip_suffix(".part").unwrap_or(name).to_owned();
    let gone: Vec<String> = machine.names(&store)?.into_iter().filter(|name| !kept.contains(&digest(name))).collect();
    if gone.is_empty() {
        return Ok(None);
    }
    let mut bytes = 0;
    for name in &gone {
        let length = found(fs::symlink_metadata(machine.root.at(format!("{store}/{name}"))));
        let length = length.map_err(|error| Failure::new(format!("old blobs: looking at {name}"), error))?;
        bytes += length.map_or(0, |meta| meta.len());
    }
    let summary = format!("{} removed, {} MiB", gone.len(), bytes >> 20);
    Ok(Some(Pending::new("old blobs", Action::Remove, summary, move |cx| {
        for name in &gone {
            match fs::remove_file(cx.machine.root.at(format!("{store}/{name}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::new(format!("old blobs: removing {name}"), error));
                }
                _ => {}
            }
        }
        Ok(())
    })))
}
