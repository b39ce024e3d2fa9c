//! `kubewright image build`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::{Exit, Failure};
use super::{RegistryArgs, megabytes, with_progress};
use crate::cluster::{TAG_RULE, is_tag};
use crate::image::{self, Architecture, BuildOptions, Built, Location, Lock, Progress, Spec};
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
    /// The lock of the spec [default: NAME.lock.yaml beside NAME.yaml, where it is there]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Only for this architecture; may be given several times [default: all of the spec's]
    #[arg(long = "architecture", value_name = "ARCH", value_enum)]
    architectures: Vec<Architecture>,
    /// The kubewright that goes into the image, a static one; may be given for each architecture [default: this one]
    #[arg(long = "program", value_name = "ARCH=FILE", value_parser = program)]
    programs: Vec<(Architecture, PathBuf)>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Where the files of the spec are, and downloads and layers are kept [default: ~/.cache/kubewright]
    #[arg(long, value_name = "DIR", env = "KUBEWRIGHT_CACHE")]
    cache: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let started = Instant::now();
        let spec = Spec::load(&self.spec)?;
        let (output, tag) = self.output(&spec)?;
        let options = BuildOptions {
            cache: self.cache.map_or_else(image::cache_directory, Ok)?,
            output: output.clone(),
            tag: tag.clone(),
            lock: lock(self.lock.as_deref(), &self.spec)?,
            registries: self.registry.options(),
            architectures: self.architectures.into_iter().collect(),
            programs: self.programs.into_iter().collect(),
            progress: Progress::default(),
        };
        let progress = options.progress.clone();
        let built = with_progress(&progress, image::build(&spec, options))?;
        let location = Location::Layout { directory: output, tag: Some(tag) };
        report::print(&summary(&built));
        report::print(&format!("\n{location}\n{}\nbuilt in {:.1} s", built.digest, started.elapsed().as_secs_f64()));
        Ok(Exit::Done)
    }

    /// Directory and tag.
    fn output(&self, spec: &Spec) -> Result<(PathBuf, String), Failure> {
        if self.tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(Failure::usage(format!("--tag: {TAG_RULE}")));
        }
        let text = match &self.tag {
            None => self.output.clone(),
            Some(tag) => format!("{}:{tag}", self.output),
        };
        match (Location::parse(&self.output)?, Location::parse(&text)?) {
            (Location::Layout { tag: Some(_), .. }, _) if self.tag.is_some() => {
                Err(Failure::usage("the tag is given twice: in --output and by --tag; leave one of them out"))
            }
            (_, Location::Layout { directory, tag }) => {
                Ok((directory, tag.unwrap_or_else(|| spec.kubernetes.to_string())))
            }
            (_, location) => Err(Failure::usage(format!(
                "an image is built into a directory (oci:DIR), not into {location}; from there, `kubewright image save` \
                 and `kubewright image push` take it further"
            ))),
        }
    }
}

/// The lock that was named, which must be there, or the one beside the spec.
fn lock(named: Option<&Path>, spec: &Path) -> Result<Option<Lock>, Failure> {
    match named {
        None => Ok(Lock::load(&Lock::path_for(spec))?),
        Some(path) => match Lock::load(path)? {
            None => {
                Err(Failure::new(format!("there is no lock at {}: make it with kubewright image lock", path.display())))
            }
            lock => Ok(lock),
        },
    }
}

/// `amd64=FILE`.
fn program(text: &str) -> Result<(Architecture, PathBuf), String> {
    let bad = || "write ARCH=FILE, such as arm64=kubewright-arm64".to_owned();
    let (architecture, file) = text.split_once('=').ok_or_else(bad)?;
    let architecture = Architecture::ALL.into_iter().find(|one| one.as_str() == architecture).ok_or_else(bad)?;
    if file.is_empty() { Err(bad()) } else { Ok((architecture, file.into())) }
}

fn summary(built: &Built) -> String {
    let rows = built.components.iter().map(|one| {
        let how = if one.reused { "unchanged".to_owned() } else { format!("{:.1} s", one.took.as_secs_f64()) };
        let (name, version) = (one.component.name.clone(), one.component.version.clone());
        let size = megabytes(one.component.blob.size);
        [name, version, one.architecture.to_string(), megabytes(one.files), size, how]
    });
    // What several architectures share is there once.
    let blobs: BTreeMap<_, _> =
        built.components.iter().map(|one| (&one.component.blob.sha256, one.component.blob.size)).collect();
    let table = report::table(
        &["COMPONENT", "VERSION", "ARCH", "FILES", "COMPRESSED", "BUILT"],
        &rows.map(Vec::from).collect::<Vec<_>>(),
    );
    format!("{table}\n\n{} components, {} compressed", built.components.len(), megabytes(blobs.values().sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_given_by_architecture() {
        assert_eq!(program("arm64=a=b"), Ok((Architecture::Arm64, "a=b".into())));
        for bad in ["kubewright", "mips=kubewright", "amd64="] {
            assert!(program(bad).unwrap_err().contains("ARCH=FILE"), "{bad}");
        }
    }
}
