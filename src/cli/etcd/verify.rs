//! `kubewright etcd snapshot verify`.

use std::path::{Path, PathBuf};

use super::super::output::Output;
use super::super::{Exit, Failure, block_on_interruptibly};
use super::source::{self, KnownArgs, SourceArgs, Wanted, fits, look};
use crate::cluster::Snapshots;
use crate::host::prove::prove;
use crate::report;
use crate::snapshot::{self, Verified};

/// Tell whether snapshots of etcd are whole, and what stands in them: reads every page, needs no etcd
///
/// Compares the SHA-256 at the end of each file, walks its database page by page, and reads etcd's own records in it.
/// Exits 1 when any of them could not be restored.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Files that `etcdctl snapshot save` or kubewright wrote, here or in a bucket; of a place, the latest one
    #[arg(value_name = "FILE|PLACE", required = true)]
    files: Vec<String>,
    #[command(flatten)]
    known: KnownArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// Restore each of them into a temporary directory as well, start a real etcd on it, and read all of it through that
    #[arg(long, requires = "etcd")]
    deep: bool,
    /// Directory with etcd's programs (etcd, and etcdutl or etcdctl) for --deep
    #[arg(long, value_name = "DIR", env = "KUBEWRIGHT_ETCD_PROGRAMS")]
    etcd: Option<PathBuf>,
    /// How to show what stands in them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let known = self.known.load()?;
        let looked: Vec<_> = self.files.iter().map(|file| (file.as_str(), self.look_at(file, &known))).collect();
        match self.output {
            Output::Table => {
                let rows: Vec<_> =
                    looked.iter().filter_map(|(file, whole)| Some(row(file, whole.as_ref().ok()?))).collect();
                if !rows.is_empty() {
                    report::print(&report::table(&HEAD, &rows));
                }
            }
            Output::Json => {
                let all: Vec<_> = looked.iter().map(|(file, whole)| as_json(file, whole)).collect();
                report::print(&serde_json::to_string_pretty(&all)?);
            }
        }
        let damaged = looked.iter().filter_map(|(file, whole)| Some((file, whole.as_ref().err()?)));
        let damaged: Vec<_> = damaged.map(|(file, damage)| format!("{file}: {damage}")).collect();
        if damaged.is_empty() { Ok(Exit::Done) } else { Err(Failure::all(damaged)) }
    }
}

impl Args {
    /// What stands in the snapshot that `file` names, if it is whole and what its manifest says.
    fn look_at(&self, file: &str, known: &Snapshots) -> Result<Verified, String> {
        let local = Path::new(file);
        if !file.starts_with("s3://") && !local.is_dir() && !snapshot::is_encrypted(file) {
            let whole = look(local).map_err(|damage| damage.to_string())?;
            fits(snapshot::manifest_beside(local).as_ref(), &whole)?;
            self.prove(local, &whole)?;
            return Ok(whole);
        }
        let obtained = source::obtain(&Wanted { from: file, cluster: None, at: None }, known, &self.source);
        let obtained = obtained.map_err(|failure| failure.message)?;
        let whole = obtained.verified().map_err(|failure| failure.message)?;
        self.prove(&obtained.path, &whole)?;
        Ok(whole)
    }

    fn prove(&self, file: &Path, whole: &Verified) -> Result<(), String> {
        let Some(programs) = self.etcd.as_ref().filter(|_| self.deep) else { return Ok(()) };
        let scratch = snapshot::scratch();
        let proof = block_on_interruptibly(prove(programs, file, &scratch, whole.contents.revision));
        let proof = proof.map_err(|failure| failure.message)?.map_err(|failure| failure.to_string())?;
        let (keys, size) = (proof.keys, report::mebibytes(proof.bytes));
        report::print_error(&format!("a real etcd has read {keys} keys, {size}, at revision {}", proof.revision));
        Ok(())
    }
}

const HEAD: [&str; 7] =
    ["FILE", "SIZE", "REVISION", "VERSIONS OF KEYS", "ETCD", "MEMBERS", "CLUSTER (UID OF KUBE-SYSTEM)"];

fn row(file: &str, whole: &Verified) -> Vec<String> {
    let contents = &whole.contents;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        file.to_owned(),
        report::mebibytes(whole.bytes),
        contents.revision.to_string(),
        contents.versions.to_string(),
        or_none(&contents.cluster_version),
        contents.members.join(", "),
        or_none(&contents.kubernetes_uid),
    ]
}

fn as_json(file: &str, looked: &Result<Verified, String>) -> serde_json::Value {
    match looked {
        Ok(whole) => serde_json::json!({ "file": file, "whole": true, "snapshot": whole }),
        Err(damage) => serde_json::json!({ "file": file, "whole": false, "damage": damage }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::testing::snapshot_of;

    #[test]
    fn each_file_is_told_and_one_that_is_damaged_fails() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let (good, cut) = (file("good.db", &snapshot_of(9)), file("cut.db", &snapshot_of(9)[..5000]));
        let whole = look(&good).unwrap();
        assert_eq!(row("good.db", &whole)[1..], ["0.0 MiB", "10", "9", "3.5.0", "m1", "-"]);
        let json = as_json("good.db", &Ok(whole));
        assert_eq!((&json["whole"], &json["snapshot"]["contents"]["kubernetesKeys"]), (&true.into(), &9.into()));
        let run = |files: &[&Path]| {
            let files = files.iter().map(|file| file.display().to_string()).collect();
            let (known, source, output) = (KnownArgs::default(), SourceArgs::default(), Output::Table);
            Args { files, known, source, deep: false, etcd: None, output }
                .run()
                .map_err(|failure| format!("{failure:?}"))
        };
        assert_eq!(run(&[&good]), Ok(Exit::Done));
        let told = run(&[&good, &cut, directory.path(), Path::new("/none")]).unwrap_err();
        for expected in
            ["cut.db: its size, 5000 bytes", "has no good snapshot", "/none: it cannot be read: No such file"]
        {
            assert!(told.contains(expected), "{told}");
        }
    }
}
