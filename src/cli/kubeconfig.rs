//! `kubewright kubeconfig`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::session::SessionArgs;
use super::{Exit, Failure};
use crate::report;
use crate::run;

/// Print the kubeconfig of a cluster's administrator, read from a master
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// Write to this file, with mode 0600, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Server to put into it; by default the endpoint, or the first master where the endpoint exists on the hosts only
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        if let Some(path) = &self.to {
            is_ours_to_write(path)?;
        }
        let server = self.server;
        let work =
            async |subject: &run::Subject<'_>, _: &report::Events| run::kubeconfig(subject, server.as_deref()).await;
        let text = session.run("kubeconfig", work)?;
        match &self.to {
            Some(path) => {
                write(path, &text)?;
                report::print_error(&format!("written to {}", path.display()));
            }
            None => report::print(&text),
        }
        Ok(Exit::Done)
    }
}

/// A slip of the finger must not cost another file: only a kubeconfig is replaced.
fn is_ours_to_write(path: &Path) -> Result<(), Failure> {
    let why = match std::fs::read_to_string(path) {
        Ok(text) if text.is_empty() || text.lines().any(|line| line == "kind: Config") => return Ok(()),
        Ok(_) => "it is there already and no kubeconfig".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => error.to_string(),
    };
    let path = path.display();
    Err(Failure::usage(format!("--to {path}: {why}; name another file, or move this one away")))
}

/// Writes beside and renames, so that a kubeconfig in use is never half there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut name = path.file_name().ok_or_else(|| Failure::usage("--to names no file"))?.to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let describe = |error: std::io::Error| {
        Failure::new(format!("cannot write {}: {error}; name another file with --to", path.display()))
    };
    let options = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    let mut file = options.map_err(describe)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(describe)?;
    std::fs::rename(&beside, path).map_err(describe)
}
