//! `kubewright report`.

use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::Timestamp;

use super::session::SessionArgs;
use super::{Exit, Failure, file};
use crate::report::page::{History, Page};
use crate::report::{self, Format};
use crate::run;

/// Make a page about a cluster, one file of HTML: topology, versions, certificates, snapshots, drift, last runs
///
/// The file needs nothing beside it and asks for nothing from elsewhere: it may be mailed, kept, and printed. Hosts that
/// do not answer are shown as such.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the page was made, whatever it tells (`kubewright status` judges), 1 it could not be made, \
    64 no place for it, 65 invalid inventory"
)]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// Write to this file instead of standard output; a page that is there is replaced
    #[arg(long, value_name = "FILE.html")]
    to: Option<PathBuf>,
}

/// What every page has, and hardly anything else.
const MARK: &str = "<meta name=\"generator\" content=\"kubewright report\">";

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        if self.to.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::usage("a page of HTML is nothing for a terminal; name a file with --to FILE.html"));
        }
        if self.to.is_none() && self.session.output == Format::Json {
            return Err(Failure::usage(
                "-o json and the page would be mixed; name a file for the page with --to FILE.html",
            ));
        }
        let is_one = |text: &str| text.contains(MARK);
        let to = match &self.to {
            Some(named) => Some((named, file::free_for(named, "page of kubewright", is_one)?)),
            None => None,
        };
        let session = self.session.load()?;
        let now = Timestamp::now();
        let overview = session.run("report", async |subject, events| Ok(run::overview(subject, now, events).await))?;
        let at_work = overview.status.running.as_ref().map(|by| by.pid);
        let history = History::read(&session.state.runs(), at_work);
        let page = Page::new(&session.cluster, &overview, &history, now);
        let html = page.html().map_err(|error| {
            Failure::new(format!("making the page: {error}; this is a defect of kubewright, please report it"))
        })?;
        match &to {
            Some((named, path)) => {
                file::write(path, &html, file::PUBLIC)?;
                report::print_error(&format!("{}\nwritten to {}", page.summary(), named.display()));
            }
            None => report::print(&html),
        }
        Ok(Exit::Done)
    }
}
