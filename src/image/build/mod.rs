//! Builds a cluster image: pin → download → gather → pack → OCI layout.

mod chart;
mod checksums;
mod component;
mod container_images;
mod containers;
mod error;
#[cfg(test)]
mod fake_registry;
mod fetch;
mod inputs;
mod layer;
mod layout;
mod lock;
mod mirrors;
mod program;
mod pulled;
mod tarball;
mod tree;
mod unpack;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use component::{Gathered, Packed, Workshop};
pub(super) use container_images::ContainerImages;
pub use error::{BuildError, ComponentError, DownloadError, ProgramError, PullError, SourceError};
#[cfg(test)]
pub(super) use fake_registry::FakeRegistry;
use inputs::Inputs;
pub(super) use layer::pack_again;
use layout::PackedVariant;
pub(super) use layout::manifest_of;
pub use lock::LockError;
use pulled::Pulled;

use super::blobs::Blobs;
use super::registry::{Progress, Registry, RegistryOptions};
use super::spec::{PinnedComponent, PinnedSpec};
use super::{Architecture, Component, Lock, Spec};

/// Where a build reads and writes.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// What `file:` in the spec is relative to; also holds downloads and layers for next time, in `build/`.
    pub cache: PathBuf,
    /// The OCI layout that gets the image.
    pub output: PathBuf,
    /// The tag of the image there.
    pub tag: String,
    /// Digests for what the spec leaves open.
    pub lock: Option<Lock>,
    /// How registries and publishers are reached.
    pub registries: RegistryOptions,
    /// Only these of the spec's architectures; all where there are none.
    pub architectures: BTreeSet<Architecture>,
    /// Static programs for the image; the one that runs now for its own architecture, unless there is another here.
    pub programs: BTreeMap<Architecture, PathBuf>,
    /// Counts what is downloaded.
    pub progress: Progress,
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Digest of its manifest, or of its index where it is for several architectures: `sha256:…`.
    pub digest: String,
    /// Its components, by architecture and name.
    pub components: Vec<BuiltComponent>,
}

/// A component of an image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltComponent {
    /// What it is for.
    pub architecture: Architecture,
    /// As it stands in the image.
    pub component: Component,
    /// Size of its files before compression; what images share counts once.
    pub files: u64,
    /// Whether it was there from an earlier build.
    pub reused: bool,
    /// How long it took.
    pub took: Duration,
}

/// Builds the image of `spec`. Waits for other builds with the same cache or output.
pub async fn build(spec: &Spec, options: BuildOptions) -> Result<Built, BuildError> {
    let registry = Registry::new(options.registries.clone());
    build_from(spec, options, &registry).await
}

/// Finds digests for what `spec` leaves open.
pub async fn lock(spec: &Spec, registries: RegistryOptions) -> Result<Lock, LockError> {
    lock::resolve(spec, &registries, &Registry::new(registries.clone())).await
}

/// As [`build`], from whatever has container images.
pub(super) async fn build_from(
    spec: &Spec,
    options: BuildOptions,
    registry: &impl ContainerImages,
) -> Result<Built, BuildError> {
    let spec = spec.pin(options.lock.as_ref(), &options.architectures)?;
    check_output(&options.output)?;
    let architectures = spec.variants.iter().map(|variant| variant.architecture).collect();
    let programs = match spec.program {
        true => program::find(&architectures, &options.programs).map_err(BuildError::Programs)?,
        false => BTreeMap::new(),
    };
    let workshop = options.cache.join("build");
    let blobs = Blobs::create(&workshop).map_err(BuildError::io("create", &workshop))?;
    let locking = {
        let blobs = blobs.clone();
        tokio::task::spawn_blocking(move || blobs.lock())
    };
    let lock = stopped(locking.await)?.map_err(BuildError::io("lock", &workshop))?;
    let pulled = workshop.join("pulled");
    let created = Blobs::create(&pulled).and_then(|blobs| blobs.prepare_partial().map(|()| blobs));
    let pulled = created.map_err(BuildError::io("create", &pulled))?;
    fetch::fetch_all(&spec, &options, &workshop.join("downloads")).await?;
    let pulled = pulled::pull_all(&spec, registry, pulled, &options.progress).await?;
    let work = tokio::task::spawn_blocking(move || {
        let _held = lock;
        assemble(&spec, &options, &programs, &workshop, blobs, pulled)
    });
    stopped(work.await)?
}

/// The output is new, empty, or a layout (perhaps one whose first build was interrupted); nothing else is written into.
fn check_output(output: &Path) -> Result<(), BuildError> {
    let mut entries = match fs::read_dir(output) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        result => result.map_err(BuildError::io("write the image to", output))?,
    };
    let is_layout = output.join("oci-layout").exists() || output.join("blobs/sha256").exists();
    if is_layout || entries.next().is_none() { Ok(()) } else { Err(BuildError::Output(output.to_owned())) }
}

fn stopped<T>(result: Result<T, tokio::task::JoinError>) -> Result<T, BuildError> {
    result.map_err(|error| BuildError::Stopped(error.to_string()))
}

fn assemble(
    spec: &PinnedSpec,
    options: &BuildOptions,
    programs: &BTreeMap<Architecture, PathBuf>,
    directory: &Path,
    blobs: Blobs,
    pulled: Pulled,
) -> Result<Built, BuildError> {
    let records = directory.join("components");
    fs::create_dir_all(&records).map_err(BuildError::io("create", &records))?;
    let workshop = Workshop {
        cache: options.cache.clone(),
        downloads: directory.join("downloads"),
        unpacked: directory.join("unpacked"),
        records,
        blobs,
        pulled,
        inputs: Inputs::load(&directory.join("inputs.json")),
        kubernetes: spec.kubernetes,
    };
    let authorities = match programs.is_empty() {
        true => None,
        false => Some(program::write_authorities(directory).map_err(BuildError::io("write", directory))?),
    };
    let packed = pack_all(&tasks(spec, programs, authorities.as_deref()), &workshop);
    workshop.inputs.save().map_err(BuildError::io("write", &directory.join("inputs.json")))?;
    let mut packed = packed?;
    packed.sort_by(|(one, a), (other, b)| (one, &a.component.name).cmp(&(other, &b.component.name)));
    let variants: Vec<_> = spec
        .variants
        .iter()
        .map(|variant| {
            let architecture = variant.architecture;
            let own = packed.iter().filter(|(other, _)| *other == architecture).map(|(_, packed)| packed.clone());
            PackedVariant { architecture, components: own.collect() }
        })
        .collect();
    let digest = layout::write(spec, &variants, &workshop.blobs, options)?;
    let components = packed.into_iter().map(|(architecture, packed)| BuiltComponent {
        architecture,
        component: packed.component,
        files: packed.files,
        reused: packed.reused,
        took: packed.took,
    });
    Ok(Built { digest, components: components.collect() })
}

/// A component to pack for one architecture.
struct Task<'a> {
    architecture: Architecture,
    component: PinnedComponent,
    /// When the component is kubewright itself: the program, and certificate authorities for it.
    program: Option<(&'a Path, &'a Path)>,
}

impl Task<'_> {
    fn gather(&self, workshop: &Workshop) -> Result<Gathered, SourceError> {
        match self.program {
            Some((program, authorities)) => program::gather(program, authorities, &workshop.inputs),
            None => workshop.gather(&self.component, self.architecture),
        }
    }
}

fn tasks<'a>(
    spec: &PinnedSpec,
    programs: &'a BTreeMap<Architecture, PathBuf>,
    authorities: Option<&'a Path>,
) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for variant in &spec.variants {
        let architecture = variant.architecture;
        let task = |component: &PinnedComponent| Task { architecture, component: component.clone(), program: None };
        tasks.extend(variant.components.iter().map(task));
        let program = programs.get(&architecture).map(PathBuf::as_path).zip(authorities);
        tasks.extend(program.map(|files| Task { program: Some(files), ..task(&program::component()) }));
    }
    tasks
}

/// Packs all components, as many at a time as there are processors.
fn pack_all(tasks: &[Task<'_>], workshop: &Workshop) -> Result<Vec<(Architecture, Packed)>, BuildError> {
    let failure = |task: &Task<'_>, source| ComponentError {
        component: task.component.name.clone(),
        architecture: task.architecture,
        source,
    };
    let gathered = parallel(tasks.iter().collect(), |task| (task, task.gather(workshop)));
    let mut failures = Vec::new();
    let mut ready = Vec::new();
    for (task, result) in gathered {
        match result {
            Ok(files) => ready.push((task, files)),
            Err(source) => failures.push(failure(task, source)),
        }
    }
    failures.extend(invalid_manifests(&ready).into_iter().map(|(task, source)| failure(task, source)));
    if failures.is_empty() {
        failures.extend(images_that_lack(&ready).into_iter().map(|(task, source)| failure(task, source)));
    }
    if !failures.is_empty() {
        return Err(failed(failures));
    }
    // The biggest first, so that none is left over for one processor at the end.
    ready.sort_by_key(|(_, files)| std::cmp::Reverse(files.size()));
    let packed = parallel(ready, |(task, files)| {
        let packed = workshop.pack(&task.component, task.architecture, &files);
        packed.map(|packed| (task.architecture, packed)).map_err(|source| failure(task, source))
    });
    let (packed, failures): (Vec<_>, Vec<_>) = packed.into_iter().partition(Result::is_ok);
    if failures.is_empty() {
        Ok(packed.into_iter().flatten().collect())
    } else {
        Err(failed(failures.into_iter().filter_map(Result::err).collect()))
    }
}

/// What no server would take: found here, not by who installs.
fn invalid_manifests<'t>(gathered: &[(&'t Task<'t>, Gathered)]) -> Vec<(&'t Task<'t>, SourceError)> {
    let invalid = |(task, gathered): &(&'t Task<'t>, Gathered)| {
        let Gathered::Manifests(tree) = gathered else { return Vec::new() };
        let faults = tree.manifest_faults().into_iter();
        faults.map(|(path, why)| (*task, SourceError::unsuitable(&path, why))).collect()
    };
    gathered.iter().flat_map(invalid).collect()
}

/// Container images that manifests run and no component brings: they would be pulled from somewhere, or not found.
fn images_that_lack<'t>(gathered: &[(&'t Task<'t>, Gathered)]) -> Vec<(&'t Task<'t>, SourceError)> {
    let mut brought = BTreeSet::new();
    for (task, gathered) in gathered {
        if let Gathered::Images { images, .. } = gathered {
            brought.extend(images.iter().map(|image| (task.architecture, image.name())));
        }
    }
    let lacks = |(task, gathered): &(&'t Task<'t>, Gathered)| {
        let Gathered::Manifests(tree) = gathered else { return Vec::new() };
        let lack = |(path, images): (PathBuf, Vec<String>)| {
            let lacking: Vec<_> =
                images.into_iter().filter(|image| !brought.contains(&(task.architecture, image.as_str()))).collect();
            let why = format!("it runs {}, which no component of the spec brings; add one with it", lacking.join(", "));
            (!lacking.is_empty()).then(|| (*task, SourceError::unsuitable(&path, &why)))
        };
        tree.container_images().into_iter().filter_map(lack).collect()
    };
    gathered.iter().flat_map(lacks).collect()
}

fn failed(mut failures: Vec<ComponentError>) -> BuildError {
    failures.sort_by(|one, other| (&one.component, one.architecture).cmp(&(&other.component, other.architecture)));
    BuildError::Components(failures)
}

/// Runs `work` on all `items`, taken in order, on all processors. The results come as they are ready.
fn parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let width = std::thread::available_parallelism().map_or(1, usize::from).min(items.len().max(1));
    let (queue, results) = (Mutex::new(items.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..width {
            scope.spawn(|| {
                loop {
                    let item = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(item) = item else { break };
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
