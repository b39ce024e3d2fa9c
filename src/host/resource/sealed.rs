//! A file that the host encrypts for others. What is in it cannot be compared with what it should hold, so the digest of
//! that stands beside it.

use std::path::PathBuf;

use super::super::atomic::{self, Attributes};
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Sealed;
use crate::snapshot;

const PRIVATE: Attributes = Attributes { mode: 0o600, owner: None };

impl Observe for Sealed {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = format!("file {}", self.path);
        let there = cx.machine.exists(&self.path)?;
        let note = cx.machine.text(&self.note())?;
        if there && note.as_deref() == Some(self.digest().as_str()) {
            return Ok(Vec::new());
        }
        let (action, summary) = match there {
            true => (Action::Update, "content differs (secret, encrypted)"),
            false => (Action::Create, "new (secret, encrypted)"),
        };
        Ok(vec![Pending::new(name.clone(), action, summary, move |cx| self.write(cx, &name))])
    }
}

impl Sealed {
    fn note(&self) -> String {
        format!("{}.sha256", self.path)
    }

    /// Of the content and of those who can read it: either may change.
    fn digest(&self) -> String {
        snapshot::fingerprint(&[self.recipients.join(" "), self.content.clone()].join("\n"))
    }

    fn write(&self, cx: &Context, name: &str) -> Result<(), Failure> {
        let mut sealed = Vec::new();
        let sealing = snapshot::seal(&self.recipients, &mut self.content.as_bytes(), &mut sealed);
        sealing.map_err(|error| Failure::new(name, error))?;
        // The digest last: without it, this is done anew.
        for (path, content) in [(&self.path, sealed), (&self.note(), self.digest().into_bytes())] {
            let path: PathBuf = cx.machine.root.at(path);
            cx.make_parents(name, &path)?;
            let written = atomic::write(&path, &content, PRIVATE);
            written.map_err(|error| Failure::writing(name, &error, &path))?;
        }
        Ok(())
    }
}
