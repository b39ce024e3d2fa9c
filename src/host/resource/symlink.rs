//! A symbolic link.

use std::fs;

use super::super::atomic;
use super::super::machine::found;
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Symlink;

impl Observe for Symlink {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = format!("symlink {}", self.path);
        let path = cx.machine.root.at(&self.path);
        let failed = |error| Failure::new(&name, error);
        let (action, summary) = match found(fs::symlink_metadata(&path)).map_err(failed)? {
            None => (Action::Create, format!("→ {}", self.target)),
            Some(meta) if meta.is_dir() => {
                let hint = format!("move {} away", self.path);
                return Err(Failure::new(name, "a directory is in the way").hint(hint));
            }
            Some(meta) if meta.is_symlink() => {
                let target = fs::read_link(&path).map_err(failed)?;
                if target.as_os_str() == self.target.as_str() {
                    return Ok(Vec::new());
                }
                (Action::Update, format!("{} → {}", target.display(), self.target))
            }
            Some(_) => (Action::Update, format!("a file → {}", self.target)),
        };
        Ok(vec![Pending::new(name.clone(), action, summary, move |cx| {
            cx.make_parents(&name, &path)?;
            cx.unit_file_changed(&self.path);
            atomic::symlink(&self.target, &path).map_err(|error| Failure::new(&name, error))
        })])
    }
}
