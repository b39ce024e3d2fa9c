//! The agent's own program at a path that units can name: the same file as the running one, without a second copy of it
//! where both are on one file system.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::atomic;
use super::super::machine::found;
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Program;

/// The running program, wherever it was started from.
const OWN: &str = "/proc/self/exe";

impl Observe for Program {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = format!("program {}", self.path);
        let failed = |error| Failure::new(&name, error);
        let own = fs::metadata(OWN).map_err(failed)?;
        let path = cx.machine.root.at(&self.path);
        let (action, summary) = match found(fs::metadata(&path)).map_err(failed)? {
            None => (Action::Create, "this version of kubewright"),
            Some(there) if is_same(&own, &there) => return Ok(Vec::new()),
            Some(_) => (Action::Update, "another version → this one"),
        };
        Ok(vec![Pending::new(name.clone(), action, summary, move |cx| {
            cx.make_parents(&name, &path)?;
            place(&path).map_err(|error| Failure::new(&name, error))
        })])
    }
}

/// A copy keeps size and time of change, which is enough: every version is another file.
fn is_same(own: &Metadata, there: &Metadata) -> bool {
    let linked = (own.dev(), own.ino()) == (there.dev(), there.ino());
    linked || (own.len() == there.len() && own.modified().ok() == there.modified().ok())
}

fn place(path: &Path) -> io::Result<()> {
    let beside = atomic::beside(path)?;
    // The link in /proc leads to the file itself, which a path may no longer do.
    let own = fs::read_link(OWN)?;
    if fs::hard_link(&own, &beside).is_err() {
        fs::copy(OWN, &beside)?;
        let copy = fs::File::options().write(true).open(&beside)?;
        copy.set_modified(fs::metadata(OWN)?.modified()?)?;
        copy.sync_all()?;
    }
    atomic::settle(&beside, path)
}
