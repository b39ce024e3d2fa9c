//! `kubewright etcd snapshot status`.

use jiff::Timestamp;

use super::super::session::SessionArgs;
use super::super::{Exit, Failure};
use crate::report::{self, Format, Style};
use crate::run::{self, PlaceStatus};

/// Show the last good snapshot of each target of the inventory, its age, and what failed on the hosts that save
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 every target has one that is younger than `maxAge`, and no host has failed; 1 not so, \
    65 invalid inventory"
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    session: SessionArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        if session.cluster.etcd.snapshots.places.is_empty() {
            return Err(Failure::usage(
                "the inventory names no targets (`spec.etcd.snapshots.targets`), whose snapshots could be looked at; what \
                 `save --to PLACE` has written is shown by `kubewright etcd snapshot list PLACE`",
            ));
        }
        let now = Timestamp::now();
        let status =
            session.run("etcd-snapshot-status", async |subject, events| Ok(run::saved(subject, now, events).await))?;
        match session.output {
            Format::Json => report::print(&serde_json::to_string(&status)?),
            Format::Human => {
                report::print(&report::table(&HEAD, &status.places.iter().map(row).collect::<Vec<_>>()));
                let style = Style::stdout();
                for why in &status.failures {
                    report::print(&format!("{} {why}", style.red("✗")));
                }
            }
        }
        Ok(if status.is_well() { Exit::Done } else { Exit::Code(1) })
    }
}

const HEAD: [&str; 7] = ["TARGET", "LAST GOOD", "AGE", "MEMBER", "REVISION", "SIZE", "STATE"];

fn row(place: &PlaceStatus) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let state = match (place.taken, place.too_old) {
        (None, _) => "none",
        (Some(_), true) => "too old",
        (Some(_), false) => "good",
    };
    vec![
        place.place.clone(),
        or_dash(place.taken.map(|taken| taken.strftime("%Y-%m-%d %H:%M:%SZ").to_string())),
        or_dash(place.age.map(|seconds| report::age(i64::try_from(seconds).unwrap_or(i64::MAX)))),
        or_dash(place.member.clone()),
        or_dash(place.revision.map(|revision| revision.to_string())),
        or_dash(place.bytes.map(report::mebibytes)),
        state.to_owned(),
    ]
}
