//! `kubewright image`.

mod build;
mod diff;
mod inspect;
mod load;
mod lock;
mod ls;
mod prune;
mod pull;
mod push;
mod registry;
mod save;
mod sign;
mod verify;

use super::{Exit, Failure, block_on};
use crate::image::Progress;
use crate::report;
pub(super) use registry::RegistryArgs;

/// Build, lock, move, compare and sign cluster images
///
/// An image is named by REGISTRY/NAME:TAG, with @sha256:… after it where a tag that moved is to be refused, or by
/// oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE. What comes from a registry is kept in the store of this
/// machine, and taken from there the next time; `image pull` fetches it anew.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Build(build::Args),
    Lock(lock::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
    Diff(diff::Args),
    Push(push::Args),
    Pull(pull::Args),
    Save(save::Args),
    Load(load::Args),
    Ls(ls::Args),
    Prune(prune::Args),
    Sign(sign::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Build(args) => args.run(),
            Verb::Lock(args) => args.run(),
            Verb::Inspect(args) => args.run(),
            Verb::Verify(args) => args.run(),
            Verb::Diff(args) => args.run(),
            Verb::Push(args) => args.run(),
            Verb::Pull(args) => args.run(),
            Verb::Save(args) => args.run(),
            Verb::Load(args) => args.run(),
            Verb::Ls(args) => args.run(),
            Verb::Prune(args) => args.run(),
            Verb::Sign(args) => args.run(),
        }
    }
}

/// Runs `work` on a fresh runtime, and shows meanwhile what it transfers.
pub(super) fn with_progress<T, E: std::error::Error>(
    progress: &Progress,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let progress = progress.clone();
    let result = block_on(async move {
        let line = report::TransferLine::start(move || (progress.moved(), progress.found(), progress.total()));
        let result = work.await;
        line.end().await;
        result
    })?;
    Ok(result?)
}

/// What a transfer moved, for people.
fn summary(progress: &Progress) -> String {
    format!("{} transferred, {} was there", megabytes(progress.moved()), megabytes(progress.found()))
}

/// A size for people: `23.4 MB`.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain() {
        let rows = [["etcd".to_owned(), megabytes(17_140_000)], ["a".to_owned(), megabytes(999)]];
        assert_eq!(
            crate::report::table(&["NAME", "SIZE"], &rows.map(Vec::from)),
            "NAME  SIZE\netcd  17.1 MB\na     0.0 MB"
        );
    }
}
