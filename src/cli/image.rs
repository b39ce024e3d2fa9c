//! `kubewright image`.

mod build;
mod inspect;

use super::{Exit, Failure};

/// Build and inspect cluster images
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Build(build::Args),
    Inspect(inspect::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Build(args) => args.run(),
            Verb::Inspect(args) => args.run(),
        }
    }
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
