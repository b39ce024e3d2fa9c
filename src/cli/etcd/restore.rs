//! `kubewright etcd restore`.

use std::io::IsTerminal;

use jiff::Timestamp;

use super::super::session::{Session, SessionArgs};
use super::super::{Exit, Failure, confirm};
use super::source::{self, Obtained, SourceArgs, Wanted};
use crate::report::{self, Format};
use crate::run::{self, RestorePreview, Restored, Source, Wish};

/// Restore etcd from a snapshot on every member: verifies it, shows what will be lost, and asks for the cluster's name
///
/// Everything that can fail without harm comes first. Then API servers stop, all members change to the restored data,
/// are proven to be one healthy cluster with the same data, and API servers start again. Pods go on running. What was
/// there before stays on the members' disks until the next restore.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    kubewright etcd restore -i cluster.yaml /backup/etcd\n  \
    kubewright etcd restore -i cluster.yaml /backup/etcd --at 2026-11-29T03:00:00Z\n  \
    kubewright etcd restore -i cluster.yaml s3://backups/prod --identity age.key\n  \
    kubewright etcd restore -i cluster.yaml --undo\n\n\
    Exit codes: 0 done, 1 failed or not confirmed, 65 invalid inventory, 75 locked")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// A snapshot, or a place with snapshots (a directory, or s3://BUCKET/PREFIX): the latest one of this cluster, which is
    /// refused if it is damaged
    #[arg(value_name = "FILE|PLACE", required_unless_present_any = ["resume", "undo"])]
    from: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
    /// Of a place the latest one that was taken at this time or before, such as 2026-11-29T03:00:00Z
    #[arg(long, value_name = "TIME", requires = "from")]
    at: Option<Timestamp>,
    /// Go on with a restore that was cut off
    #[arg(long, conflicts_with_all = ["from", "undo"])]
    resume: bool,
    /// Put back what the members had before the restore
    #[arg(long, conflicts_with = "from")]
    undo: bool,
    /// The cluster's name, instead of being asked for it
    #[arg(long, value_name = "CLUSTER")]
    confirm: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let name = session.cluster.name.as_str();
        match &self.confirm {
            Some(given) if given != name => {
                return Err(Failure::usage(format!(
                    "the inventory's cluster is {name}, not {given}; nothing was changed"
                )));
            }
            None if !std::io::stdin().is_terminal() => {
                return Err(Failure::usage("without a terminal to ask on, give the cluster's name with --confirm"));
            }
            _ => {}
        }
        let obtained = match &self.from {
            Some(from) => {
                let wanted = Wanted { from, cluster: Some(name), at: self.at };
                Some(source::obtain(&wanted, &session.cluster.etcd.snapshots, &self.source)?)
            }
            None => None,
        };
        let wish = match (&obtained, self.resume) {
            (Some(obtained), _) => Wish::From(Box::new(of(obtained)?)),
            (None, true) => Wish::Resume,
            (None, false) => Wish::Undo,
        };
        let confirm = |preview: &RestorePreview| self.confirmed(preview, &session);
        let restored = session
            .run("etcd-restore", async |subject, events| run::restore(subject, &wish, &confirm, events).await)?;
        match restored {
            Restored::Declined => Err(Failure::new("not confirmed; nothing was changed")),
            Restored::Done(took) => {
                if session.output == Format::Human {
                    let flags = &session.flags;
                    report::print(&format!("restored in {:.1} s", took.as_secs_f64()));
                    if !self.undo {
                        report::print(&format!("the way back is open: kubewright etcd restore{flags} --undo"));
                    }
                }
                Ok(Exit::Done)
            }
        }
    }

    fn confirmed(&self, preview: &RestorePreview, session: &Session) -> bool {
        match session.output {
            Format::Human => report::print(&text(preview)),
            Format::Json => report::print(&serde_json::json!({ "preview": preview }).to_string()),
        }
        if self.confirm.is_some() {
            return true;
        }
        confirm::is_typed(session.cluster.name.as_str()).unwrap_or(false)
    }
}

/// The snapshot, verified, with what is written beside it.
fn of(obtained: &Obtained) -> Result<Source<'_>, Failure> {
    let Obtained { path, name, manifest, .. } = obtained;
    Ok(Source { path, name, whole: obtained.verified()?, manifest: manifest.clone() })
}

fn text(preview: &RestorePreview) -> String {
    let names =
        |hosts: &[crate::cluster::HostName]| hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        format!("snapshot  {}", preview.snapshot),
        format!("members   {}", names(&preview.members)),
        format!("stopped   API servers, controller-managers and schedulers on {}", names(&preview.masters)),
        "          pods go on running; kubelets are restarted".to_owned(),
        format!("lost      {}", lost(preview)),
    ];
    lines.extend(preview.warnings.iter().map(|warning| format!("warning   {warning}")));
    lines.join("\n")
}

fn lost(preview: &RestorePreview) -> String {
    let Some(now) = preview.revision_now else { return "what was written since the snapshot".to_owned() };
    match now.checked_sub(preview.revision) {
        None => format!("etcd is at revision {now} now, which is before the snapshot"),
        Some(since) if since < run::REVISION_BUMP => {
            format!("etcd is at revision {now} now: {since} revisions since the snapshot are lost")
        }
        Some(_) => {
            format!("etcd is at revision {now} now, raised by a restore: what was written since the snapshot is lost")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::cluster::Snapshots;
    use crate::snapshot::testing::snapshot_of;

    #[test]
    fn what_is_lost_is_counted_where_it_can_be() {
        let lost = |revision_now| {
            let (snapshot, members, masters, warnings) = (String::new(), Vec::new(), Vec::new(), Vec::new());
            lost(&RestorePreview { snapshot, revision: 100, revision_now, members, masters, warnings })
        };
        assert!(lost(Some(130)).contains("30 revisions since"));
        assert!(lost(Some(90)).contains("before the snapshot"));
        assert!(lost(Some(1_000_000_200)).contains("raised by a restore"));
        assert_eq!(lost(None), "what was written since the snapshot");
    }

    #[test]
    fn what_is_no_snapshot_is_refused_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let (good, cut) = (at("good.db", &snapshot_of(9)), at("cut.db", &snapshot_of(9)[..5000]));
        let obtain = |path: &Path| {
            let from = path.to_str().unwrap();
            let wanted = Wanted { from, cluster: Some("prod"), at: None };
            source::obtain(&wanted, &Snapshots::default(), &SourceArgs::default())
        };
        assert_eq!(of(&obtain(&good).unwrap()).unwrap().whole.contents.revision, 10);
        let error = format!("{:?}", of(&obtain(&cut).unwrap()).map(drop).unwrap_err());
        assert!(error.contains("cut.db") && error.contains("nothing was changed"), "{error}");
        let error = format!("{:?}", obtain(directory.path()).unwrap_err());
        assert!(error.contains("no good snapshot of prod"), "{error}");
    }
}
