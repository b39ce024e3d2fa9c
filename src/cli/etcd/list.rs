//! `kubewright etcd snapshot list` and `prune`.

use jiff::Timestamp;

use super::super::{Exit, Failure, block_on};
use super::keep::KeepArgs;
use super::place;
use super::source::KnownArgs;
use crate::report::{self, Format};
use crate::snapshot::{Kept, PassedOver, Target, TargetError};

/// List the snapshots of a place, latest last
///
/// A file that looks like a snapshot and does not count, one that was cut short or has no manifest, is shown with the
/// reason. What is listed was verified when it was saved; `verify` reads it again.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ListArgs {
    /// A directory, or s3://BUCKET/PREFIX
    #[arg(value_name = "PLACE")]
    place: String,
    #[command(flatten)]
    known: KnownArgs,
    /// Only those of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// How to show them
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

/// Remove the snapshots of one cluster that the flags do not ask for
///
/// Only what kubewright wrote there, and never the latest good one.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PruneArgs {
    /// A directory, or s3://BUCKET/PREFIX
    #[arg(value_name = "PLACE")]
    place: String,
    #[command(flatten)]
    known: KnownArgs,
    /// Name of the cluster
    #[arg(long, value_name = "NAME")]
    cluster: String,
    #[command(flatten)]
    keep: KeepArgs,
    /// How to show what went
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl ListArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let target = target(&self.place, &self.known)?;
        let found = block_on(target.look(self.cluster.as_deref()))?;
        let found = found.map_err(|error| Failure::new(error.to_string()))?;
        match self.output {
            Format::Human => {
                let now = Timestamp::now();
                let passed_over = found.passed_over.iter().map(row_passed_over);
                let rows: Vec<_> = found.kept.iter().map(|one| row(one, now)).chain(passed_over).collect();
                report::print(&report::table(&HEAD, &rows));
            }
            Format::Json => {
                let all = serde_json::json!({"snapshots": found.kept, "passedOver": found.passed_over});
                report::print(&serde_json::to_string_pretty(&all)?);
            }
        }
        Ok(Exit::Done)
    }
}

impl PruneArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Some(keep) = self.keep.keep() else {
            return Err(Failure::usage(
                "say what to keep: at least one of --keep-last, --keep-hourly, --keep-daily, --keep-weekly",
            ));
        };
        let target = target(&self.place, &self.known)?;
        let pruned = block_on(async {
            let kept = target.list(Some(&self.cluster)).await?;
            let (many, now) = (kept.len(), Timestamp::now());
            // What stays instead must be worth it.
            if let Some(latest) = kept.iter().rfind(|kept| kept.counts(now, None)) {
                target.check(latest).await?;
            }
            let pruned = target.thin(kept, &keep).await?;
            let stay = many - pruned.len();
            Ok::<_, TargetError>((pruned, stay))
        })?;
        let (pruned, stay) = pruned.map_err(|error| Failure::new(error.to_string()))?;
        if pruned.is_empty() && stay == 0 {
            let (place, cluster) = (target.place(), &self.cluster);
            let next = format!("`kubewright etcd snapshot list {place}` shows what it has");
            return Err(Failure::new(format!("{place} has no snapshots of {cluster}; {next}")));
        }
        match self.output {
            Format::Human => {
                for old in &pruned {
                    report::print(&format!("removed {}", old.location));
                }
                report::print_error(&format!("{stay} snapshots of {} stay", self.cluster));
            }
            Format::Json => {
                let all = serde_json::json!({"removed": pruned, "stay": stay});
                report::print(&serde_json::to_string_pretty(&all)?);
            }
        }
        Ok(Exit::Done)
    }
}

fn target(place: &str, known: &KnownArgs) -> Result<Target, Failure> {
    let place = place::parse(place, &known.load()?).map_err(Failure::usage)?;
    Target::open(&place).map_err(|error| Failure::new(error.to_string()))
}

const HEAD: [&str; 8] = ["FILE", "CLUSTER", "TAKEN", "AGE", "MEMBER", "SIZE", "REVISION", "WHEN SAVED"];

fn row_passed_over(one: &PassedOver) -> Vec<String> {
    let unknown = (1..HEAD.len() - 1).map(|_| "-".to_owned());
    [one.file.clone()].into_iter().chain(unknown).chain([format!("does not count: {}", one.why)]).collect()
}

fn row(kept: &Kept, now: Timestamp) -> Vec<String> {
    let manifest = &kept.manifest;
    let origin = &manifest.origin;
    vec![
        manifest.file(),
        origin.cluster.clone(),
        origin.taken.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        report::age(now.as_second() - origin.taken.as_second()),
        origin.member.clone(),
        report::mebibytes(manifest.bytes),
        manifest.revision.to_string(),
        if manifest.is_good() { "verified" } else { "members differ" }.to_owned(),
    ]
}
