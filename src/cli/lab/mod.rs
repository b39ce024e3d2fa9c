//! `kubewright lab`.

mod command;
mod down;
mod power;
mod reap;
mod run;
mod shape;
mod status;
mod supervise;
mod up;

use super::{Exit, Failure};
use crate::lab::{Lab, LabName, Places};
use crate::report;

/// Run real hosts on this machine, for demos, tests and CI
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Up(up::Args),
    Run(run::Args),
    Status(status::Args),
    Ssh(command::SshArgs),
    Exec(command::ExecArgs),
    Kill(power::KillArgs),
    Start(power::StartArgs),
    Cut(power::CutArgs),
    Heal(power::HealArgs),
    Down(down::Args),
    #[command(hide = true)]
    Reap(reap::Args),
    #[command(hide = true)]
    Supervise(supervise::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Up(args) => args.run(),
            Verb::Run(args) => args.run(),
            Verb::Reap(args) => args.run(),
            Verb::Status(args) => args.run(),
            Verb::Ssh(args) => args.run(),
            Verb::Exec(args) => args.run(),
            Verb::Kill(args) => args.run(),
            Verb::Start(args) => args.run(),
            Verb::Cut(args) => args.run(),
            Verb::Heal(args) => args.run(),
            Verb::Down(args) => args.run(),
            Verb::Supervise(args) => args.run(),
        }
    }
}

/// Which lab.
#[derive(Debug, clap::Args)]
struct Which {
    /// Name of the lab
    #[arg(long, default_value = "lab", env = "KUBEWRIGHT_LAB")]
    name: LabName,
}

impl Which {
    fn open(&self) -> Result<Lab, Failure> {
        Ok(Lab::open(&Places::from_environment()?, &self.name)?)
    }
}

/// Progress goes to standard error; standard output is for results.
fn progress(line: &str) {
    report::print_error(line);
}
