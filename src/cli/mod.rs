//! Arguments to one call; one file per verb. A verb returns an [`Exit`]; nothing here decides anything.

mod agent;
mod check;
mod completion;
mod confirm;
mod etcd;
mod exit;
mod explain;
mod file;
mod grammar;
mod help;
mod host;
mod hosts;
mod image;
mod init;
mod install;
mod inventory;
mod kubeconfig;
mod lab;
mod man;
mod plan;
mod preflight;
mod prune;
mod report;
mod reset;
mod schema;
mod session;
mod status;
mod support;
mod upgrade;
mod validate;

use std::process::ExitCode;

use clap::{FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use exit::{Exit, Failure};
pub use inventory::InventoryArgs;

/// Declarative Kubernetes lifecycle installer: one image, one inventory, one command.
#[derive(Debug, Parser)]
#[command(name = "kubewright", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Validate(validate::Args),
    Hosts(hosts::Args),
    Schema(schema::Args),
    Preflight(preflight::Args),
    Plan(plan::Args),
    Install(install::Args),
    Upgrade(upgrade::Args),
    Status(status::Args),
    Report(report::Args),
    Support(support::Args),
    Check(check::Args),
    Kubeconfig(kubeconfig::Args),
    Reset(reset::Args),
    Explain(explain::Args),
    Image(image::Args),
    Etcd(etcd::Args),
    Lab(lab::Args),
    Help(help::Args),
    Completion(completion::Args),
    Man(man::Args),
    Host(host::Args),
    #[command(hide = true)]
    Agent(agent::Args),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    grammar::complete();
    let command = grammar::grammar();
    let command = match grammar::Defaults::load(&command) {
        Ok(defaults) => defaults.apply(command),
        Err(failure) => return exit::report(Err(failure)),
    };
    let parsed = command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    if let Some(filter) = std::env::var_os("KUBEWRIGHT_LOG").filter(|filter| !filter.is_empty()) {
        log_to_stderr(&filter.to_string_lossy());
    }
    let result = match arguments.verb {
        Verb::Init(args) => args.run(),
        Verb::Validate(args) => args.run(),
        Verb::Hosts(args) => args.run(),
        Verb::Schema(args) => args.run(),
        Verb::Preflight(args) => args.run(),
        Verb::Plan(args) => args.run(),
        Verb::Install(args) => args.run(),
        Verb::Upgrade(args) => args.run(),
        Verb::Status(args) => args.run(),
        Verb::Report(args) => args.run(),
        Verb::Support(args) => args.run(),
        Verb::Check(args) => args.run(),
        Verb::Kubeconfig(args) => args.run(),
        Verb::Reset(args) => args.run(),
        Verb::Explain(args) => args.run(),
        Verb::Image(args) => args.run(),
        Verb::Etcd(args) => args.run(),
        Verb::Lab(args) => args.run(),
        Verb::Help(args) => args.run(),
        Verb::Completion(args) => args.run(),
        Verb::Man(args) => args.run(),
        Verb::Host(args) => args.run(),
        Verb::Agent(args) => args.run(),
    };
    exit::report(result)
}

/// What libraries and doors say while they work, for whoever looks for a fault: `KUBEWRIGHT_LOG=debug`, or a level by
/// module as `tracing` writes it. The first call wins.
fn log_to_stderr(filter: &str) {
    // Not `EnvFilter`: what it looks for in fields costs a compiler of regular expressions. A word that is no filter
    // means that somebody looks for a fault: everything is said.
    let all = || Targets::new().with_default(LevelFilter::DEBUG);
    let filter: Targets = filter.parse().unwrap_or_else(|_| all());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    // Fails only where a program that uses this library has set up its own.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// The same, until the operator interrupts it: what it has made for itself goes with it.
fn block_on_interruptibly<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    block_on(async {
        let interrupted = session::interrupted();
        tokio::select! {
            done = work => Ok(done),
            signal = interrupted => Err(Failure::interrupted("interrupted; nothing was changed", signal)),
        }
    })?
}

/// Runs `work` on a fresh runtime.
fn block_on<F: Future>(work: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?.block_on(work))
}
