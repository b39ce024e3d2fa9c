//! `kubewright image build`.

use std::path::PathBuf;
use std::time::Instant;

use super::super::{Exit, Failure, block_on};
use super::megabytes;
use crate::image::{self, BuildOptions, Built, Location, Spec};
use crate::report;

/// Build a cluster image from a spec
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The spec: a YAML file such as images/debian-12.yaml, which names components, versions, sources and roles
    spec: PathBuf,
    /// Where the image goes; other tags that are there stay
    #[arg(short, long, value_name = "oci:DIR[:TAG]")]
    output: String,
    /// Tag of the image [default: the version of Kubernetes]
    #[arg(long)]
    tag: Option<String>,
    /// Where the files of the spec are, and downloads and layers are kept [default: ~/.cache/kubewright]
    #[arg(long, value_name = "DIR", env = "KUBEWRIGHT_CACHE")]
    cache: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let started = Instant::now();
        let spec = Spec::load(&self.spec)?;
        let (output, tag) = self.output(&spec)?;
        let cache = self.cache.map_or_else(image::cache_directory, Ok)?;
        let built = block_on(image::build(spec, BuildOptions { cache, output: output.clone(), tag: tag.clone() }))??;
        let location = Location::Layout { directory: output, tag: Some(tag) };
        report::print(&summary(&built));
        report::print(&format!("\n{location}\n{}\nbuilt in {:.1} s", built.digest, started.elapsed().as_secs_f64()));
        Ok(Exit::Done)
    }

    /// Directory and tag.
    fn output(&self, spec: &Spec) -> Result<(PathBuf, String), Failure> {
        let text = match &self.tag {
            None => self.output.clone(),
            Some(tag) => format!("{}:{tag}", self.output),
        };
        match (Location::parse(&self.output)?, Location::parse(&text)?) {
            (Location::Layout { tag: Some(_), .. }, _) if self.tag.is_some() => {
                Err(Failure::usage("the tag is given twice: in --output and by --tag"))
            }
            (_, Location::Layout { directory, tag }) => {
                Ok((directory, tag.unwrap_or_else(|| spec.kubernetes.to_string())))
            }
            (_, Location::Archive { .. }) => Err(Failure::usage(
                "an archive cannot be built directly: build oci:DIR, then run tar -C DIR -cf FILE .",
            )),
        }
    }
}

fn summary(built: &Built) -> String {
    let rows = built.components.iter().map(|one| {
        let how = if one.reused { "unchanged".to_owned() } else { format!("{:.1} s", one.took.as_secs_f64()) };
        let (name, version) = (one.component.name.clone(), one.component.version.clone());
        [name, version, megabytes(one.files), megabytes(one.component.blob.size), how]
    });
    let total: u64 = built.components.iter().map(|one| one.component.blob.size).sum();
    let table = report::table(
        &["COMPONENT", "VERSION", "FILES", "COMPRESSED", "BUILT"],
        &rows.map(Vec::from).collect::<Vec<_>>(),
    );
    format!("{table}\n\n{} components, {} compressed", built.components.len(), megabytes(total))
}
