//! A directory with its mode and owner.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::machine::found;
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Directory;

impl Observe for Directory {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = format!("directory {}", self.path);
        // A link to a directory is one: data directories are often on a disk of their own.
        let path = cx.machine.root.at(&self.path);
        let seen = found(fs::metadata(&path)).map_err(|error| Failure::new(&name, error))?;
        let Some(meta) = seen else {
            if path.is_symlink() {
                let hint = format!("remove {} or make what it points at", self.path);
                return Err(Failure::new(name, "a link that leads nowhere is in the way").hint(hint));
            }
            let summary = format!("mode {:04o} {}:{}", self.mode, self.owner.user, self.owner.group);
            return Ok(vec![Pending::new(name, Action::Create, summary, |cx| self.make(cx))]);
        };
        if !meta.is_dir() {
            let hint = format!("move {} away", self.path);
            return Err(Failure::new(name, "something that is not a directory is in the way").hint(hint));
        }
        let accounts = cx.accounts()?;
        let mut differences = Vec::new();
        if meta.mode() & 0o7777 != self.mode {
            differences.push(format!("mode {:04o} → {:04o}", meta.mode() & 0o7777, self.mode));
        }
        let ids = (meta.uid(), meta.gid());
        if accounts.ids(&self.owner) != Some(ids) {
            differences.push(format!("owner {} → {}:{}", accounts.display(ids), self.owner.user, self.owner.group));
        }
        if differences.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Pending::new(name, Action::Update, differences.join(", "), |cx| self.attributes(cx))])
    }
}

impl Directory {
    fn make(&self, cx: &Context) -> Result<(), Failure> {
        let name = format!("directory {}", self.path);
        let path = cx.machine.root.at(&self.path);
        cx.make_parents(&name, &path)?;
        fs::create_dir(&path).map_err(|error| Failure::new(name, error))?;
        self.attributes(cx)
    }

    fn attributes(&self, cx: &Context) -> Result<(), Failure> {
        let name = format!("directory {}", self.path);
        let path = cx.machine.root.at(&self.path);
        let (user, group) = cx.ids(&name, &self.owner)?;
        std::os::unix::fs::chown(&path, Some(user), Some(group))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(self.mode)))
            .map_err(|error| Failure::new(name, error))
    }
}
