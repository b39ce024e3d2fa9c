//! `kubewright image lock`.

use std::path::PathBuf;

use super::super::{Exit, Failure, block_on};
use super::RegistryArgs;
use crate::image::{self, Lock, Moved, Spec};
use crate::report;

/// Find digests for all that a spec leaves open, and write them into a lock file
///
/// Tags are looked up in their registries, and missing checksums in what publishers have beside their files. Commit the
/// lock with its spec: `image build` goes by both.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The spec, a YAML file
    spec: PathBuf,
    /// The lock file [default: NAME.lock.yaml beside NAME.yaml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also take digests that are not those of the lock that is there
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let spec = Spec::load(&self.spec)?;
        let path = self.output.unwrap_or_else(|| Lock::path_for(&self.spec));
        let before = Lock::load(&path)?;
        let lock = block_on(image::lock(&spec, self.registry.options()))??;
        let moved = before.as_ref().map_or(Vec::new(), |before| lock.moved_since(before));
        if !moved.is_empty() && !self.update {
            return Err(refusal(&moved, &path));
        }
        let count = lock.files.len() + lock.images.len();
        if count == 0 && before.is_none() {
            report::print(&format!("{} pins all of its inputs by itself: it needs no lock", self.spec.display()));
            return Ok(Exit::Done);
        }
        for moved in &moved {
            report::print(&moved.to_string());
        }
        if before.as_ref() == Some(&lock) {
            report::print(&format!("{}: {count} inputs, unchanged", path.display()));
            return Ok(Exit::Done);
        }
        lock.save(&path).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        report::print(&format!(
            "{}: {} files and {} images locked",
            path.display(),
            lock.files.len(),
            lock.images.len()
        ));
        Ok(Exit::Done)
    }
}

fn refusal(moved: &[Moved], path: &std::path::Path) -> Failure {
    let list: Vec<_> = moved.iter().map(|moved| format!("  {moved}")).collect();
    Failure::new(format!(
        "{} input(s) are not what {} says any more:\n{}\nthe lock stays as it is; if you know why, take them with --update",
        moved.len(),
        path.display(),
        list.join("\n")
    ))
}
