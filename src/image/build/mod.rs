//! Builds a cluster image: download → gather → pack → OCI layout.

mod component;
mod containers;
mod error;
mod fetch;
mod inputs;
mod layer;
mod tarball;
mod tree;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use component::{Packed, Workshop};
pub use error::{BuildError, ComponentError, DownloadError, SourceError};
use inputs::Inputs;

use super::blobs::Blobs;
use super::oci::{self, Config, Descriptor, Execution, Index, Manifest, Platform};
use super::{ClusterImage, Component, Spec, open};

/// Where a build reads and writes.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// What `file:` in the spec is relative to; also holds downloads and layers for next time, in `build/`.
    pub cache: PathBuf,
    /// The OCI layout that gets the image.
    pub output: PathBuf,
    /// The tag of the image there.
    pub tag: String,
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Digest of its manifest: `sha256:…`.
    pub digest: String,
    /// Its components.
    pub components: Vec<BuiltComponent>,
}

/// A component of an image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltComponent {
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
pub async fn build(spec: Spec, options: BuildOptions) -> Result<Built, BuildError> {
    check_output(&options.output)?;
    let workshop = options.cache.join("build");
    let blobs = Blobs::create(&workshop).map_err(BuildError::io("create", &workshop))?;
    let locking = {
        let blobs = blobs.clone();
        tokio::task::spawn_blocking(move || blobs.lock())
    };
    let lock = stopped(locking.await)?.map_err(BuildError::io("lock", &workshop))?;
    fetch::fetch_all(&spec, &workshop.join("downloads")).await?;
    let work = tokio::task::spawn_blocking(move || {
        let _held = lock;
        assemble(&spec, &options, &workshop, blobs)
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

fn assemble(spec: &Spec, options: &BuildOptions, directory: &Path, blobs: Blobs) -> Result<Built, BuildError> {
    let records = directory.join("components");
    fs::create_dir_all(&records).map_err(BuildError::io("create", &records))?;
    let workshop = Workshop {
        cache: options.cache.clone(),
        downloads: directory.join("downloads"),
        unpacked: directory.join("unpacked"),
        records,
        blobs,
        inputs: Inputs::load(&directory.join("inputs.json")),
        architecture: spec.architecture,
    };
    let packed = pack_all(spec, &workshop);
    workshop.inputs.save().map_err(BuildError::io("write", &directory.join("inputs.json")))?;
    let mut packed = packed?;
    packed.sort_by(|one, other| one.component.name.cmp(&other.component.name));
    let digest = write_layout(spec, &packed, &workshop.blobs, options)?;
    let components = packed.into_iter().map(|packed| BuiltComponent {
        component: packed.component,
        files: packed.files,
        reused: packed.reused,
        took: packed.took,
    });
    Ok(Built { digest, components: components.collect() })
}

/// Packs all components, as many at a time as there are processors.
fn pack_all(spec: &Spec, workshop: &Workshop) -> Result<Vec<Packed>, BuildError> {
    let gathered = parallel(spec.components.iter().collect(), |component| (component, workshop.gather(component)));
    let mut failures = Vec::new();
    let mut ready = Vec::new();
    for (component, result) in gathered {
        match result {
            Ok(files) => ready.push((component, files)),
            Err(source) => failures.push(ComponentError { component: component.name.clone(), source }),
        }
    }
    if !failures.is_empty() {
        return Err(failed(failures));
    }
    // The biggest first, so that none is left over for one processor at the end.
    ready.sort_by_key(|(_, files)| std::cmp::Reverse(files.size()));
    let packed = parallel(ready, |(component, files)| {
        let failed = |source| ComponentError { component: component.name.clone(), source };
        workshop.pack(component, &files).map_err(failed)
    });
    let (packed, failures): (Vec<_>, Vec<_>) = packed.into_iter().partition(Result::is_ok);
    if failures.is_empty() {
        Ok(packed.into_iter().flatten().collect())
    } else {
        Err(failed(failures.into_iter().filter_map(Result::err).collect()))
    }
}

fn failed(mut failures: Vec<ComponentError>) -> BuildError {
    failures.sort_by(|one, other| one.component.cmp(&other.component));
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

/// Puts layers, config and manifest into the output, and last the index, which makes them visible.
fn write_layout(spec: &Spec, packed: &[Packed], from: &Blobs, options: &BuildOptions) -> Result<String, BuildError> {
    let output = &options.output;
    let failed = |doing| BuildError::io(doing, output);
    let blobs = Blobs::create(output).map_err(failed("create"))?;
    let _held = blobs.lock().map_err(failed("lock"))?;
    for layer in packed.iter().map(|packed| &packed.layer) {
        blobs.take(from, &layer.blob).map_err(failed("copy a layer to"))?;
    }
    let image = ClusterImage {
        name: spec.name.clone(),
        kubernetes: spec.kubernetes,
        components: packed.iter().map(|packed| packed.component.clone()).collect(),
    };
    let json = |error: serde_json::Error| BuildError::io("describe the image in", output)(error.into());
    let label = (oci::CLUSTER_IMAGE.to_owned(), serde_json::to_string(&image).map_err(json)?);
    let execution = Execution { labels: Some([label].into()), ..Execution::default() };
    let diff_ids: Vec<_> = packed.iter().map(|packed| packed.layer.diff_id.clone()).collect();
    let config = Config::new(spec.architecture.as_str(), execution, &diff_ids);
    let config = blobs.put(&serde_json::to_vec(&config).map_err(json)?).map_err(failed("write to"))?;
    let layers: Vec<_> = packed.iter().map(|packed| packed.layer.blob.clone()).collect();
    let manifest = serde_json::to_vec(&Manifest::new(&config, &layers)).map_err(json)?;
    let mut descriptor = Descriptor::new(oci::MANIFEST, &blobs.put(&manifest).map_err(failed("write to"))?);
    descriptor.platform =
        Some(Platform { architecture: spec.architecture.as_str().to_owned(), os: "linux".to_owned() });
    descriptor.annotations.insert(oci::TAG.to_owned(), options.tag.clone());
    let digest = descriptor.digest.clone();

    // Images with other tags stay.
    let mut manifests =
        open::index_of(output).map_err(BuildError::Existing)?.map_or(Vec::new(), |index| index.manifests);
    manifests.retain(|other| other.annotations.get(oci::TAG) != Some(&options.tag));
    manifests.push(descriptor);
    blobs.finish_layout(&Index::new(manifests)).map_err(failed("write to"))?;
    Ok(digest)
}

#[cfg(test)]
mod tests;
