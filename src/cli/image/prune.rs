//! `kubewright image prune`.

use std::num::NonZeroUsize;

use super::super::{Exit, Failure};
use super::megabytes;
use crate::image::{self, Access, Unused};
use crate::report::{self, Format};

/// Remove from the store of this machine what no image needs any more
///
/// Downloads that did not end, unpacked archives and what images have lost go; images go only with --keep. `--list`
/// shows the same without removing it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Also remove images: of every name all but the newest N
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,
    /// List what would go, and leave it
    #[arg(long)]
    list: bool,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (access, keep) = (Access::default(), self.keep.map(NonZeroUsize::get));
        let (unused, done) = match self.list {
            true => (image::unused(&access, keep)?, "to free"),
            false => (image::prune(&access, keep)?, "freed"),
        };
        match self.output {
            Format::Human => report::print(&as_text(&unused, done)),
            Format::Json => report::print(&serde_json::to_string_pretty(&as_json(&unused))?),
        }
        Ok(Exit::Done)
    }
}

fn as_text(unused: &Unused, done: &str) -> String {
    let mut lines: Vec<_> = unused.images.iter().map(|image| format!("image    {image}")).collect();
    let files = |kind: &str, (path, size): &(std::path::PathBuf, u64)| {
        format!("{kind}  {}  {}", path.display(), megabytes(*size))
    };
    lines.extend(unused.files.iter().map(|file| files("file   ", file)));
    lines.extend(unused.archives.iter().map(|archive| files("archive", archive)));
    lines.push(format!("{} {done}", megabytes(unused.size())));
    lines.join("\n")
}

fn as_json(unused: &Unused) -> serde_json::Value {
    let files = |files: &[(std::path::PathBuf, u64)]| -> Vec<_> {
        files.iter().map(|(path, size)| serde_json::json!({"path": path, "size": size})).collect()
    };
    serde_json::json!({
        "images": unused.images,
        "files": files(&unused.files),
        "archives": files(&unused.archives),
        "size": unused.size(),
    })
}
