//! `kubewright etcd snapshot verify`.

use std::path::{Path, PathBuf};

use super::super::{Exit, Failure, block_on_interruptibly};
use super::source::{self, KnownArgs, SourceArgs, Wanted, fits, look};
use crate::cluster::Snapshots;
use crate::host::prove;
use crate::report::{self, Format};
use crate::snapshot::{self, Verified};

/// Tell whether snapshots of etcd are whole, and what stands in them: reads every page, needs no etcd
///
/// Compares the SHA-256 at the end of each file, walks its database page by page, and reads etcd's own records in it.
/// Exits 1 when any of them could not be restored.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    kubewright etcd snapshot verify /backup/etcd/*.db\n  \
    kubewright etcd snapshot verify s3://backups/prod --identity age.key --deep --etcd /usr/bin")]
pub(in crate::cli) struct Args {
    /// Files that `etcdctl snapshot save` or kubewright wrote, here or in a bucket; of a place, the latest one, and what is
    /// cut short or missing there
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
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let known = self.known.load()?;
        if let Some(programs) = self.programs() {
            let run = block_on_interruptibly(prove::programs_run(programs))?;
            run.map_err(|failure| {
                let next = failure.hint.as_ref().map_or_else(String::new, |hint| format!("\n    → {hint}"));
                Failure::new(format!("{failure}; no snapshot was looked at{next}"))
            })?;
        }
        let mut looked = Vec::new();
        for file in &self.files {
            looked.extend(self.look_at(file, &known)?);
        }
        match self.output {
            Format::Human => {
                let rows: Vec<_> =
                    looked.iter().filter_map(|(file, whole)| Some(row(file, whole.as_ref().ok()?))).collect();
                if !rows.is_empty() {
                    report::print(&report::table(&HEAD, &rows));
                }
            }
            Format::Json => {
                let all: Vec<_> = looked.iter().map(|(file, whole)| as_json(file, whole)).collect();
                report::print(&serde_json::to_string_pretty(&all)?);
            }
        }
        let damaged = looked.iter().filter_map(|(file, whole)| Some((file, whole.as_ref().err()?)));
        let told = |(file, damage): (&String, &String)| match damage.starts_with(file.as_str()) {
            true => damage.clone(),
            false => format!("{file}: {damage}"),
        };
        let damaged: Vec<_> = damaged.map(told).collect();
        if damaged.is_empty() { Ok(Exit::Done) } else { Err(Failure::all(damaged)) }
    }

    /// What stands in the snapshot that `named` names, if it is whole and what its manifest says. Of a place, what is
    /// damaged there as well.
    fn look_at(&self, named: &str, known: &Snapshots) -> Result<Vec<Looked>, Failure> {
        let local = Path::new(named);
        if !named.starts_with("s3://") && !local.is_dir() && !snapshot::is_encrypted(named) {
            let whole = look(local).map_err(|damage| damage.to_string());
            let fitting = |whole| fits(snapshot::manifest_beside(local).as_ref(), &whole).map(|()| whole);
            return Ok(vec![(named.to_owned(), self.proven(local, whole.and_then(fitting))?)]);
        }
        let obtained = source::reach(&Wanted { from: named, cluster: None, at: None }, known, &self.source)?;
        let obtained = match obtained {
            Ok(obtained) => obtained,
            Err(why) => return Ok(vec![(named.to_owned(), Err(why))]),
        };
        let latest = (obtained.name.clone(), self.proven(&obtained.path, obtained.look())?);
        let damaged = obtained.damaged().map(|(location, why)| (location, Err(why.to_owned())));
        Ok([latest].into_iter().chain(damaged).collect())
    }

    /// Whether a snapshot that looks whole is read by a real etcd, where that is asked for.
    fn proven(&self, file: &Path, whole: Result<Verified, String>) -> Result<Result<Verified, String>, Failure> {
        let (Some(programs), Ok(known)) = (self.programs(), &whole) else { return Ok(whole) };
        let scratch = snapshot::scratch();
        let proof = match block_on_interruptibly(prove::prove(programs, file, &scratch, known.contents.revision))? {
            Ok(proof) => proof,
            Err(failure) => return Ok(Err(failure.to_string())),
        };
        let (keys, size) = (proof.keys, report::mebibytes(proof.bytes));
        report::print_error(&format!("a real etcd has read {keys} keys, {size}, at revision {}", proof.revision));
        Ok(whole)
    }

    /// Where the programs are that prove a snapshot, if it is to be proven.
    fn programs(&self) -> Option<&Path> {
        self.etcd.as_deref().filter(|_| self.deep)
    }
}

/// A snapshot, and what stands in it or what is wrong with it.
type Looked = (String, Result<Verified, String>);

const HEAD: [&str; 7] =
    ["FILE", "SIZE", "REVISION", "VERSIONS OF KEYS", "CLUSTER VERSION", "MEMBERS", "CLUSTER (UID OF KUBE-SYSTEM)"];

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
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::snapshot::testing::{manifest, snapshot_of};

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
            let (known, source, output) = (KnownArgs::default(), SourceArgs::default(), Format::Human);
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

    #[test]
    fn programs_that_do_not_run_here_are_no_damage_of_a_snapshot() {
        let directory = tempfile::tempdir().unwrap();
        let good = directory.path().join("good.db");
        std::fs::write(&good, snapshot_of(9)).unwrap();
        for name in ["etcd", "etcdutl"] {
            let program = directory.path().join(name);
            std::fs::write(&program, "#!/no/such/loader\n").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let (files, known) = (vec![good.display().to_string()], KnownArgs::default());
        let (source, output) = (SourceArgs::default(), Format::Json);
        let etcd = Some(directory.path().to_owned());
        let told = Args { files, known, source, deep: true, etcd, output }.run().unwrap_err().message;
        assert!(told.contains("needs a loader") && told.contains("no snapshot was looked at"), "{told}");
    }

    #[test]
    fn of_a_place_what_is_damaged_there_fails_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (good, lost) = (manifest("2026-11-29T06:00:00Z"), manifest("2026-11-29T06:15:00Z"));
        std::fs::write(at(&good.file()), snapshot_of(5)).unwrap();
        for of in [&good, &lost] {
            let name = of.file().replace(".db", ".json");
            std::fs::write(at(&name), serde_json::to_string(of).unwrap()).unwrap();
        }
        let (files, known) = (vec![directory.path().display().to_string()], KnownArgs::default());
        let (source, output) = (SourceArgs::default(), Format::Human);
        let told = Args { files, known, source, deep: false, etcd: None, output }.run().unwrap_err().message;
        assert_eq!(told, format!("{}: its manifest is there, and the file is not", at(&lost.file()).display()));
    }
}
