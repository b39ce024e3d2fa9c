//! `kubewright lab run`: one command with a cluster of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use super::shape::Shape;
use super::{Exit, Failure, progress};
use crate::cli::session::interrupted;
use crate::lab::{Lab, LabName, Places, Step, Throwaway};

/// Start hosts, install a cluster on them, run a command with it, and take everything away again
#[derive(Debug, clap::Args)]
#[command(after_help = "The command runs inside the lab, as with `lab exec`: it finds kubectl, KUBECONFIG and \
    KUBEWRIGHT_INVENTORY, and sees the hosts, not the world outside.\n\n\
    Exit codes: that of the command; 1 when there is no cluster for it; 130, 143 after Ctrl-C, SIGTERM\n\n\
    Examples:\n  kubewright lab run -- kubectl get nodes\n  \
    kubewright lab run --masters 3 --logs out -- ./e2e.sh --focus storage")]
pub(super) struct Args {
    /// Name of the lab; one that no other run has, unless it is given
    #[arg(long)]
    name: Option<LabName>,
    /// Hosts of the control plane, which also run etcd
    #[arg(long, value_name = "N", default_value_t = 1)]
    masters: u8,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: u8,
    #[command(flatten)]
    shape: Shape,
    /// Copy the logs of kubewright and the hosts' consoles here when something fails
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Leave the lab as it is when something fails
    #[arg(long)]
    keep: bool,
    /// Command to run
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let places = Places::from_environment()?;
        let name = self.name.map_or_else(|| format!("run-{}", std::process::id()).parse(), Ok)?;
        let options = self.shape.options(name.clone(), self.masters, self.workers);
        let steps = Lab::steps(&places, &options, &self.command)?;
        let begin = Instant::now();
        let lab = Throwaway::begin(&places, &name)?;
        let result = crate::cli::block_on(run_all(steps, begin));
        let result = result.and_then(|result| result);
        let failed = !matches!(result, Ok(Exit::Done));
        if let Some(directory) = self.logs.as_ref().filter(|_| failed) {
            match Lab::open(&places, &name).and_then(|lab| lab.save_logs(directory)) {
                Ok(()) => progress(&format!("logs are in {}", directory.display())),
                Err(error) => progress(&format!("no logs were saved: {error}")),
            }
        }
        if failed && self.keep {
            lab.keep()?;
            progress(&format!(
                "the lab is left: kubewright lab exec --name {name} -- sh; kubewright lab down --name {name}"
            ));
        } else {
            lab.end()?;
        }
        result
    }
}

/// Runs one step after the other; the last one's exit code is the result.
async fn run_all(steps: Vec<Step>, begin: Instant) -> Result<Exit, Failure> {
    let mut signal = std::pin::pin!(interrupted());
    let count = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        let is_last = index + 1 == count;
        if is_last {
            progress(&format!("the cluster is there after {} s", begin.elapsed().as_secs()));
        }
        let name = step.name;
        let mut running = step.start()?;
        let code = tokio::select! {
            code = running.wait() => code?,
            number = &mut signal => {
                running.stop(number, interrupted()).await?;
                return Err(Failure::interrupted("interrupted; the lab goes", number));
            }
        };
        match code {
            0 => {}
            code if is_last => return Ok(Exit::Code(code)),
            code => {
                return Err(Failure::new(format!(
                    "{name} ended with {code}; there is no cluster to run the command with"
                )));
            }
        }
    }
    Ok(Exit::Done)
}
