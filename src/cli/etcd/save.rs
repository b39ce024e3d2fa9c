//! `kubewright etcd snapshot save`.

use super::super::session::SessionArgs;
use super::super::{Exit, Failure};
use super::keep::KeepArgs;
use super::place;
use crate::cluster::{SnapshotPlace, Snapshots};
use crate::report::{self, Format};
use crate::run::{self, Saved};
use crate::snapshot::{self, Kept, Order, Pki, Target};

/// Save a snapshot of etcd, verified: from a member that is well, and does not lead if there is a choice
///
/// A snapshot gets its name only once all of it is on the disk, its SHA-256 is right and every page of it was read; what
/// is written beside it tells where it comes from. Works while another run is under way.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    kubewright etcd snapshot save -i cluster.yaml --to /backup/etcd --keep-last 48 --keep-daily 14\n  \
    kubewright etcd snapshot save -i cluster.yaml --to /backup/etcd --to s3://backups/prod\n\n\
    A place is a directory, or s3://BUCKET/PREFIX. A bucket of the inventory is used as it is set up there; of others,\n\
    AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SHARED_CREDENTIALS_FILE and\n\
    AWS_CA_BUNDLE tell.\n\n\
    Exit codes: 0 saved and verified at every place, 1 something failed (what was saved stays), 65 invalid inventory")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// A place to save to; any number of them. Without it, the buckets of the inventory
    #[arg(long, value_name = "PLACE")]
    to: Vec<String>,
    #[command(flatten)]
    keep: KeepArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let snapshots = &session.cluster.etcd.snapshots;
        let targets = self.targets(snapshots)?;
        let (keep, scratch) = (self.keep.keep().or(snapshots.keep), snapshot::scratch());
        let pki = snapshots.include_pki.then(|| session.saved_keys()).transpose()?;
        let order = Order {
            targets: &targets,
            recipients: &snapshots.recipients,
            pki: pki.as_ref().map(|keys| Pki::Plain(keys)),
            keep: keep.as_ref(),
            scratch: &scratch,
        };
        let saved =
            session.run("etcd-snapshot-save", async |subject, events| run::save(subject, &order, events).await)?;
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

impl Args {
    /// All places that can be used; one that is no place at all fails everything, since it is a slip of the finger.
    fn targets(&self, snapshots: &Snapshots) -> Result<Vec<Target>, Failure> {
        let places = if self.to.is_empty() {
            // Directories of the inventory are those of the hosts that save by themselves.
            let bucket = |place: &&SnapshotPlace| matches!(place, SnapshotPlace::Bucket(_));
            snapshots.places.iter().filter(bucket).cloned().collect()
        } else {
            self.to
                .iter()
                .map(|text| place::parse(text, snapshots))
                .collect::<Result<Vec<_>, _>>()
                .map_err(Failure::usage)?
        };
        if places.is_empty() {
            return Err(Failure::usage(
                "say where to save, with --to PLACE: the inventory names no bucket, and its directories are on the hosts that \
                 save by themselves",
            ));
        }
        let opened: Vec<_> = places.iter().map(Target::open).collect();
        let failed: Vec<_> =
            opened.iter().filter_map(|target| target.as_ref().err()).map(ToString::to_string).collect();
        if failed.is_empty() { Ok(opened.into_iter().flatten().collect()) } else { Err(Failure::all(failed)) }
    }
}

fn tell(saved: &Saved) {
    for Kept { location, manifest } in &saved.kept {
        let state = if manifest.is_good() { "verified" } else { "whole, but members differ" };
        report::print(&format!(
            "saved {} from {}: {}, revision {}, {state}, in {:.1} s",
            location,
            manifest.origin.member,
            report::mebibytes(manifest.bytes),
            manifest.revision,
            saved.took.as_secs_f64()
        ));
    }
    for old in &saved.pruned {
        report::print(&format!("removed {}", old.location));
    }
}

fn as_json(saved: &Saved) -> serde_json::Value {
    let paths = |kept: &[Kept]| kept.iter().map(|kept| kept.location.clone()).collect::<Vec<_>>();
    let failures: Vec<_> = saved.failures.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "saved": paths(&saved.kept),
        "manifest": saved.kept.first().map(|kept| &kept.manifest),
        "removed": paths(&saved.pruned),
        "failures": failures,
        "seconds": saved.took.as_secs_f64(),
    })
}
