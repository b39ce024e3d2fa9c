//! `kubewright upgrade`.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};

use super::preflight::IgnoreArgs;
use super::session::{Session, SessionArgs};
use super::{Exit, Failure};
use crate::cluster::{Cluster, HostName, ImageReference, MaxUnavailable};
use crate::plan::{self, Preview, Selector};
use crate::report::{self, Format, Style};
use crate::run::{self, Outcome, Pause, Request, Rolling};

/// Bring a cluster to another cluster image: shows what will happen, asks, and goes one step at a time
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Safe to repeat: a run that was cut off, paused or limited goes on where it stopped. A host that does not \
    come up with the new version is put back on what it ran before, and the upgrade stops there.\n\n\
    Examples:\n  \
    kubewright upgrade -i cluster.yaml --image oci:images/next --plan\n  \
    kubewright upgrade -i cluster.yaml --image oci:images/next --canary n1\n  \
    kubewright upgrade -i cluster.yaml --rollback\n\n\
    Exit codes: 0 done, paused or nothing to do, 1 failed, 2 --plan and something to do, 65 invalid inventory, 75 locked"
)]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    ignore: IgnoreArgs,
    /// The cluster image to go to, instead of the one in the inventory
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Show what would happen and change nothing
    #[arg(long)]
    plan: bool,
    /// Return every host to what it ran before the last upgrade, while that is safe
    #[arg(long, conflicts_with_all = ["image", "canary", "pause_before", "pause_after"])]
    rollback: bool,
    /// Of the workers upgrade only these, then pause
    #[arg(long, value_name = "HOST", num_args = 1.., value_delimiter = ',')]
    canary: Vec<String>,
    /// Of the workers upgrade only these; the others stay as they are until a later run
    #[arg(long, value_name = "HOST", num_args = 1.., value_delimiter = ',', conflicts_with = "canary")]
    limit: Vec<String>,
    /// Most workers out of service at a time: a number or a share of all, such as 10%
    #[arg(long, value_name = "N|N%")]
    max_unavailable: Option<MaxUnavailable>,
    /// One worker at a time
    #[arg(long, conflicts_with = "max_unavailable")]
    serial: bool,
    /// Stop before this stage, and go on with the next run
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    pause_before: Option<&'static str>,
    /// Stop after this stage, and go on with the next run
    #[arg(long, value_name = "STAGE", value_parser = stage, conflicts_with = "pause_before")]
    pause_after: Option<&'static str>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        if !self.yes && !self.plan && !std::io::stdin().is_terminal() {
            return Err(Failure::usage("without a terminal to ask on, give --yes, or --plan to only look"));
        }
        let session = self.session.load_with(self.image.clone().map(ImageReference))?;
        let ignored = self.ignore.names();
        let confirm = |preview: &Preview| self.confirm(preview, &session);
        let request =
            Request { rolling: self.rolling(&session)?, pause: self.pause(), ignored: &ignored, confirm: &confirm };
        let verb = if self.rollback { "rollback" } else { "upgrade" };
        let outcome = session.run(verb, async |subject, events| match self.rollback {
            true => run::rollback(subject, &request, events).await,
            false => run::upgrade(subject, &request, events).await,
        })?;
        self.tell(&outcome, &session);
        match outcome {
            Outcome::Declined if self.plan => Ok(Exit::Pending),
            Outcome::Declined => Err(Failure::new("not confirmed; nothing was changed")),
            Outcome::Done(_) | Outcome::Nothing => Ok(Exit::Done),
        }
    }

    fn rolling(&self, session: &Session) -> Result<Rolling, Failure> {
        let mut rolling = Rolling::of(&session.cluster.upgrade);
        rolling.max_unavailable = match self.serial {
            true => MaxUnavailable::Count(1),
            false => self.max_unavailable.unwrap_or(rolling.max_unavailable),
        };
        let names: Vec<&String> = self.canary.iter().chain(&self.limit).collect();
        if !names.is_empty() {
            let only = workers(&session.cluster, &names)?;
            rolling.only = Some(only);
        }
        Ok(rolling)
    }

    fn pause(&self) -> Pause {
        let chosen = !self.canary.is_empty() || !self.limit.is_empty();
        match (self.pause_before, self.pause_after) {
            (Some(stage), _) => Pause::Before(stage),
            (None, Some(stage)) => Pause::After(stage),
            (None, None) if chosen && !self.rollback => Pause::After("workers"),
            (None, None) => Pause::Never,
        }
    }

    fn confirm(&self, preview: &Preview, session: &Session) -> bool {
        let name = session.cluster.name.as_str();
        match session.output {
            Format::Human => report::print(&report::render_preview(name, preview, Style::stdout())),
            Format::Json => {
                if let Ok(value) = serde_json::to_value(preview) {
                    report::print(&serde_json::json!({ "preview": value }).to_string());
                }
            }
        }
        if self.plan || self.yes {
            return !self.plan;
        }
        report::print_error(&format!("Go on with {name}? [y/N]"));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    fn tell(&self, outcome: &Outcome, session: &Session) {
        if session.output != Format::Human {
            return;
        }
        let flags = &session.flags;
        let image = self.image.as_ref().map(|image| format!(" --image {image}")).unwrap_or_default();
        match outcome {
            Outcome::Nothing => report::print("0 changed: every host runs what the image holds"),
            Outcome::Declined => {}
            Outcome::Done(summary) => {
                let seconds = summary.took.as_secs_f64();
                report::print(&format!("{} changed in {seconds:.1} s", summary.changed));
                match (self.pause(), self.rollback, &self.image) {
                    (Pause::Never, true, _) => report::print(&format!(
                        "next: set spec.image to the image that the cluster ran before, then kubewright status{flags}"
                    )),
                    (Pause::Never, false, Some(image)) => {
                        report::print(&format!("next: set spec.image to {image} in the inventory"));
                    }
                    (Pause::Never, false, None) => report::print(&format!("next: kubewright status{flags}")),
                    _ => report::print(&format!("paused; go on with: kubewright upgrade{flags}{image}")),
                }
            }
        }
    }
}

/// The workers that are named; only they can be chosen.
fn workers(cluster: &Cluster, names: &[&String]) -> Result<BTreeSet<HostName>, Failure> {
    let worker = |name: &&String| {
        let host = cluster.host(name);
        let unknown = || Failure::usage(format!("the inventory has no host {name:?}; `kubewright hosts` lists all"));
        let host = host.ok_or_else(unknown)?;
        if Selector::PureWorkers.selects(host) {
            return Ok(host.name.clone());
        }
        let why = "no worker: masters and members of etcd are upgraded before all workers, one by one";
        Err(Failure::usage(format!("{name} is {why}")))
    };
    names.iter().map(worker).collect()
}

/// The name of a stage of the upgrade.
fn stage(text: &str) -> Result<&'static str, String> {
    let names: Vec<&'static str> = plan::upgrade().iter().map(|stage| stage.name).collect();
    let found = names.iter().find(|name| **name == text).copied();
    found.ok_or_else(|| format!("there is no such stage; they are {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;

    #[test]
    fn only_workers_are_chosen() {
        let fixture = Fixture::new(36);
        let chosen = |name: &str| workers(&fixture.cluster, &[&name.to_owned()]).map_err(|why| format!("{why:?}"));
        assert_eq!(chosen("n1").unwrap().len(), 1);
        for (name, why) in [("m1", "m1 is no worker"), ("x1", "has no host")] {
            assert!(chosen(name).unwrap_err().contains(why), "{name}");
        }
    }
}
