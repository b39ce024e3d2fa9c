//! A regular file with all of its content.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::atomic::{self, Attributes};
use super::super::machine::found;
use super::super::protocol::{Action, Failure};
use super::super::systemd::UnitState;
use super::text::unified;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::File;

impl Observe for File {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = self.name();
        let path = cx.machine.root.at(&self.path);
        match found(fs::symlink_metadata(&path)).map_err(|error| Failure::new(&name, error))? {
            None => Ok(vec![self.content(cx, Action::Create, String::new(), Some(String::new()))?]),
            Some(meta) if meta.is_dir() => {
                Err(Failure::new(name, "a directory is in the way").hint(format!("move {} away", self.path)))
            }
            Some(meta) if !meta.is_file() => {
                Ok(vec![self.content(cx, Action::Update, "was not a regular file".into(), Some(String::new()))?])
            }
            Some(meta) => {
                let content = fs::read(&path).map_err(|error| Failure::new(&name, error))?;
                self.compare(cx, &meta, content)
            }
        }
    }
}

impl File {
    fn name(&self) -> String {
        format!("file {}", self.path)
    }

    fn compare<'a>(&'a self, cx: &Context, meta: &Metadata, content: Vec<u8>) -> Observed<'a> {
        let attributes = self.attributes_differ(cx, meta)?;
        if content != self.content.as_bytes() {
            return Ok(vec![self.content(cx, Action::Update, attributes, String::from_utf8(content).ok())?]);
        }
        if attributes.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Pending::new(self.name(), Action::Update, attributes, |cx| self.set_attributes(cx))])
    }

    fn attributes_differ(&self, cx: &Context, meta: &Metadata) -> Result<String, Failure> {
        let accounts = cx.accounts()?;
        let mut differences = Vec::new();
        if meta.mode() & 0o7777 != self.mode {
            differences.push(format!("mode {:04o} → {:04o}", meta.mode() & 0o7777, self.mode));
        }
        let ids = (meta.uid(), meta.gid());
        if accounts.ids(&self.owner) != Some(ids) {
            differences.push(format!("owner {} → {}:{}", accounts.display(ids), self.owner.user, self.owner.group));
        }
        Ok(differences.join(", "))
    }

    /// The content is to be written; `old` is what stands there now, `None` when it is not text.
    fn content<'a>(
        &'a self,
        cx: &Context,
        action: Action,
        also: String,
        old: Option<String>,
    ) -> Result<Pending<'a>, Failure> {
        for unit in self.concerned(cx)? {
            cx.will_owe(unit, &self.cause());
        }
        let secret = if self.secret { " (secret)" } else { "" };
        let mut summary = match (action, &old) {
            (Action::Create, _) => {
                format!("new{secret}, mode {:04o} {}:{}", self.mode, self.owner.user, self.owner.group)
            }
            (_, Some(_)) => format!("content differs{secret}"),
            (_, None) => format!("content differs{secret}, was not text"),
        };
        if !also.is_empty() {
            summary = format!("{summary}, {also}");
        }
        let diff = old.filter(|_| !self.secret).map(|old| unified(&self.path, &old, &self.content));
        Ok(Pending::new(self.name(), action, summary, |cx| self.write(cx)).with_diff(diff))
    }

    /// Units that have to hear of a change. One of somebody else's that does not run reads the file when it starts.
    fn concerned(&self, cx: &Context) -> Result<Vec<&String>, Failure> {
        let mut units: Vec<&String> = self.restarts.iter().collect();
        if !self.reloads.is_empty() {
            let states = cx.units()?;
            units.extend(self.reloads.iter().filter(|name| states.get(*name).is_some_and(UnitState::is_running)));
        }
        Ok(units)
    }

    fn cause(&self) -> String {
        format!("{} changed", self.path)
    }

    fn write(&self, cx: &Context) -> Result<(), Failure> {
        let owner = Some(cx.ids(&self.name(), &self.owner)?);
        for unit in self.concerned(cx)? {
            cx.note(unit, &self.cause())?;
        }
        let path = cx.machine.root.at(&self.path);
        cx.make_parents(&self.name(), &path)?;
        let written = atomic::write(&path, self.content.as_bytes(), Attributes { mode: self.mode, owner });
        cx.unit_file_changed(&self.path);
        written.map_err(|error| Failure::new(self.name(), error))
    }

    fn set_attributes(&self, cx: &Context) -> Result<(), Failure> {
        let (user, group) = cx.ids(&self.name(), &self.owner)?;
        let path = cx.machine.root.at(&self.path);
        std::os::unix::fs::chown(&path, Some(user), Some(group))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(self.mode)))
            .map_err(|error| Failure::new(self.name(), error))
    }
}
