//! `kubewright etcd snapshot save`.

use std::path::PathBuf;

use super::super::session::SessionArgs;
use super::super::{Exit, Failure};
use super::keep::KeepArgs;
use crate::report::{self, Format};
use crate::run::{self, Saved};
use crate::snapshot::{Directory, Kept};

/// Save a snapshot of etcd here, verified: from a member that is well, and does not lead if there is a choice
///
/// A snapshot gets its name only once all of it is on the disk, its SHA-256 is right and every page of it was read; what
/// is written beside it tells where it comes from. Works while another run is under way.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    kubewright etcd snapshot save -i cluster.yaml --to /backup/etcd --keep-last 48 --keep-daily 14\n  \
    kubewright etcd snapshot save -i cluster.yaml --to /backup/etcd --to /mnt/nas/etcd\n\n\
    Exit codes: 0 saved and verified at every target, 1 something failed (what was saved stays), 65 invalid inventory")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// A directory to save to; any number of them
    #[arg(long, value_name = "DIR", required = true)]
    to: Vec<PathBuf>,
    #[command(flatten)]
    keep: KeepArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let targets: Vec<_> = self.to.iter().map(Directory::new).collect();
        let keep = self.keep.keep();
        let session = self.session.load()?;
        let saved = session.run("etcd-snapshot-save", async |subject, events| {
            run::save(subject, &targets, keep.as_ref(), events).await
        })?;
        match session.output {
            Format::Human => tell(&saved),
            Format::Json => report::print(&as_json(&saved).to_string()),
        }
        match saved.failures.is_empty() {
            true => Ok(Exit::Done),
            false => Err(Failure::all(saved.failures)),
        }
    }
}

fn tell(saved: &Saved) {
    for Kept { path, manifest } in &saved.kept {
        let state = if manifest.is_good() { "verified" } else { "whole, but members differ" };
        report::print(&format!(
            "saved {} from {}: {}, revision {}, {state}, in {:.1} s",
            path.display(),
            manifest.origin.member,
            report::mebibytes(manifest.bytes),
            manifest.revision,
            saved.took.as_secs_f64()
        ));
    }
    for old in &saved.pruned {
        report::print(&format!("removed {}", old.path.display()));
    }
}

fn as_json(saved: &Saved) -> serde_json::Value {
    let paths = |kept: &[Kept]| kept.iter().map(|kept| kept.path.clone()).collect::<Vec<_>>();
    let failures: Vec<_> = saved.failures.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "saved": paths(&saved.kept),
        "manifest": saved.kept.first().map(|kept| &kept.manifest),
        "removed": paths(&saved.pruned),
        "failures": failures,
        "seconds": saved.took.as_secs_f64(),
    })
}
