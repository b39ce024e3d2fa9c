//! `kubewright etcd`.

mod get;
mod keep;
mod list;
mod members;
mod place;
mod restore;
mod save;
mod source;
mod status;
mod verify;

use super::{Exit, Failure};

/// Look after etcd and its snapshots
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Look after snapshots of etcd
    #[command(subcommand)]
    Snapshot(Snapshot),
    // Boxed because they carry the flags of a whole run.
    Restore(Box<restore::Args>),
    #[command(visible_alias = "status")]
    Members(Box<members::MembersArgs>),
    Defrag(Box<members::DefragArgs>),
    Alarm(Box<members::AlarmArgs>),
    MoveLeader(Box<members::MoveLeaderArgs>),
    Replace(Box<members::ReplaceArgs>),
}

#[derive(Debug, clap::Subcommand)]
enum Snapshot {
    // Boxed because it carries the flags of a whole run.
    Save(Box<save::Args>),
    Verify(verify::Args),
    List(list::ListArgs),
    Prune(list::PruneArgs),
    Get(get::Args),
    // Boxed because it carries the flags of a whole run.
    Status(Box<status::Args>),
    Keys(get::KeysArgs),
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Restore(args) => args.run(),
            Verb::Members(args) => args.run(),
            Verb::Defrag(args) => args.run(),
            Verb::Alarm(args) => args.run(),
            Verb::MoveLeader(args) => args.run(),
            Verb::Replace(args) => args.run(),
            Verb::Snapshot(Snapshot::Save(args)) => args.run(),
            Verb::Snapshot(Snapshot::Verify(args)) => args.run(),
            Verb::Snapshot(Snapshot::List(args)) => args.run(),
            Verb::Snapshot(Snapshot::Prune(args)) => args.run(),
            Verb::Snapshot(Snapshot::Get(args)) => args.run(),
            Verb::Snapshot(Snapshot::Status(args)) => args.run(),
            Verb::Snapshot(Snapshot::Keys(args)) => args.run(),
        }
    }
}
