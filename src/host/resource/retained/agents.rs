//! Agents of earlier versions of this program: `/var/lib/kubewright/bin/SHA256`.

use std::fs;
use std::time::SystemTime;

use super::super::super::atomic;
use super::super::super::machine::{Machine, STATE, found};
use super::super::super::protocol::{Action, Failure};
use super::super::Pending;
use super::uses::Uses;
use super::{Version, staying, surplus};

/// What goes; the running one is in use.
pub(super) fn observe<'a>(others: usize, uses: &Uses<'_>, machine: &Machine) -> Result<Vec<Pending<'a>>, Failure> {
    let directory = format!("{STATE}/bin");
    let is_digest = |name: &String| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let names: Vec<String> = machine.names(&directory)?.into_iter().filter(is_digest).collect();
    // The one that runs, and those that stay: nothing to look for.
    if names.len() <= others.saturating_add(1) {
        return Ok(Vec::new());
    }
    let mut versions = Vec::new();
    for name in names {
        let path = format!("{directory}/{name}");
        let meta = found(fs::symlink_metadata(machine.root.at(&path)));
        let Some(meta) = meta.map_err(|error| Failure::new(format!("looking at {path}"), error))? else { continue };
        let came = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let used = uses.mention(&path)?;
        versions.push(Version { what: name, came, used });
    }
    let (_, gone) = surplus(versions, others.saturating_add(1));
    let pending = |name: String| {
        let title = format!("old agent {}", &name[..12]);
        let path = format!("{directory}/{name}");
        let summary = format!("removed: {}", staying(others));
        Pending::new(title.clone(), Action::Remove, summary, move |cx| {
            let path = cx.machine.root.at(&path);
            let moved = atomic::beside(&path).and_then(|beside| fs::rename(&path, &beside).map(|()| beside));
            moved.and_then(fs::remove_dir_all).map_err(|error| Failure::new(&title, error))
        })
    };
    Ok(gone.into_iter().map(pending).collect())
}
