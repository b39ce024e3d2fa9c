//! `kubewright etcd snapshot get` and `keys`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{Exit, Failure, InventoryArgs};
use super::source::{self, KnownArgs, SourceArgs, Wanted};
use crate::pki::Archive;
use crate::report::{self, Format};
use crate::run::StateDirectory;

/// Fetch a snapshot, decrypted and verified, into a file that etcd's own tools can read
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    kubewright etcd snapshot get /backup/etcd --to today.db\n  \
    kubewright etcd snapshot get s3://backups/prod --at 2026-11-29T06:00:00Z --to before.db --identity age.key")]
pub(in crate::cli) struct Args {
    /// A snapshot, or a place with snapshots: the latest one, which is refused if it is damaged
    #[arg(value_name = "FILE|PLACE")]
    from: String,
    /// The file to write, which must not be there yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Only those of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The latest one that was taken at this time or before, such as 2026-11-29T06:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    known: KnownArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// How to show what was written
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let to = self.to.display();
        if self.to.symlink_metadata().is_ok() {
            return Err(Failure::usage(format!("{to} is there already; nothing is overwritten")));
        }
        let directory = self.to.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        if !directory.is_dir() {
            return Err(Failure::usage(format!("{} is no directory; --to names a local file", directory.display())));
        }
        let wanted = Wanted { from: &self.from, cluster: self.cluster.as_deref(), at: self.at };
        let obtained = source::obtain(&wanted, &self.known.load()?, &self.source)?;
        let whole = obtained.verified()?;
        let failed = |error: std::io::Error| Failure::new(format!("writing {to}: {error}"));
        // Beside it first, so that half a file never has its name.
        let mut beside = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        let mut from = std::fs::File::open(&obtained.path).map_err(failed)?;
        std::io::copy(&mut from, &mut beside).map_err(failed)?;
        beside.as_file().sync_all().map_err(failed)?;
        beside.persist_noclobber(&self.to).map_err(|error| failed(error.error))?;
        let (name, size, revision) = (&obtained.name, report::mebibytes(whole.bytes), whole.contents.revision);
        match self.output {
            Format::Human => report::print(&format!("{to}: {name}, {size}, revision {revision}, verified")),
            Format::Json => {
                let written = serde_json::json!({"file": self.to, "from": name, "snapshot": whole});
                report::print(&serde_json::to_string_pretty(&written)?);
            }
        }
        Ok(Exit::Done)
    }
}

/// Put the keys that were saved with a snapshot where an install of the same cluster finds them
///
/// For when all masters are lost: an install on new hosts then makes the cluster's certificates from the CAs that it
/// always had, and a restore of the snapshot fits. Keys of this cluster that are already on this machine stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, all hosts lost:\n  \
    kubewright etcd snapshot keys -i cluster.yaml s3://backups/prod --identity age.key\n  \
    kubewright install -i cluster.yaml\n  \
    kubewright etcd restore -i cluster.yaml FILE --identity age.key\n\n\
    FILE is what `keys` has told: hosts that save by themselves put snapshots of the new, empty cluster beside it.")]
pub(in crate::cli) struct KeysArgs {
    #[command(flatten)]
    inventory: InventoryArgs,
    /// A snapshot, or a place with snapshots: the latest one of this cluster
    #[arg(value_name = "FILE|PLACE")]
    from: String,
    #[command(flatten)]
    source: SourceArgs,
}

impl KeysArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let cluster = self.inventory.load()?;
        let name = cluster.name.as_str();
        let wanted = Wanted { from: &self.from, cluster: Some(name), at: None };
        let obtained = source::obtain(&wanted, &cluster.etcd.snapshots, &self.source)?;
        let archive = Archive::parse(&obtained.keys(&self.source)?);
        let archive = archive.map_err(|why| Failure::new(format!("{}: {why}; nothing was changed", obtained.name)))?;
        if archive.cluster != name {
            let other = &archive.cluster;
            let why = format!("its keys are those of {other}, not of {name}; nothing was changed");
            return Err(Failure::new(format!("{}: {why}", obtained.name)));
        }
        let state = StateDirectory::of(&cluster.name);
        let written = state.keys().save(&archive.files)?;
        match written.len() {
            0 => report::print(&format!("{}: all keys are there already", state.path().display())),
            many => report::print(&format!("{many} keys of {name} are in {}", state.path().display())),
        }
        // By its name: what the new cluster saves to the same place is not what is meant then.
        report::print(&format!("once `kubewright install` has ended: kubewright etcd restore {}", obtained.name));
        Ok(Exit::Done)
    }
}
