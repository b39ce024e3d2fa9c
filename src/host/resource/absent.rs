//! Nothing at a path.

use std::fs;
use std::path::Path;

use super::super::machine::found;
use super::super::proc;
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Absent;

impl Observe for Absent {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = format!("absent {}", self.path);
        let path = cx.machine.root.at(&self.path);
        if Path::new(&self.path).components().count() < 3 {
            return Err(Failure::new(name, "refused: a top-level directory is never removed"));
        }
        let seen = found(fs::symlink_metadata(&path)).map_err(|error| Failure::new(&name, error))?;
        let Some(meta) = seen else { return Ok(Vec::new()) };
        if meta.is_dir() {
            let mounts = proc::mounts(&cx.machine.text("/proc/mounts")?.unwrap_or_default());
            if let Some(mount) = mounts.iter().find(|mount| Path::new(&mount.path).starts_with(&self.path)) {
                let why = format!("refused: a file system is mounted at {}", mount.path);
                return Err(Failure::new(name, why).hint(format!("unmount {} first", mount.path)));
            }
        }
        let summary = if meta.is_dir() { "directory removed" } else { "file removed" };
        Ok(vec![Pending::new(name.clone(), Action::Remove, summary, move |cx| {
            let removed = if meta.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            cx.unit_file_changed(&self.path);
            removed.map_err(|error| Failure::new(&name, error))
        })])
    }
}
