//! What `docker save` writes. Newer ones write an OCI layout as well; of older ones, and of skopeo's, the image is put
//! together again: docker unpacks the layers and forgets the manifest, but keeps the config, which lists the components.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::blobs::Blobs;
use super::build::{manifest_of, pack_again};
use super::layout::Layout;
use super::oci::{self, Config, Descriptor, Index};
use super::{Blob, ClusterImage, Component, ImageError, archive, digest, document, read};

/// An entry of `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Unpacks the archive `file` below `directory`, and returns the layout.
pub(super) fn unpack(file: &Path, directory: &Path) -> Result<PathBuf, ImageError> {
    let mut contents = Contents::read(file)?;
    if contents.files.contains_key("index.json") {
        let path = archive::unpack(file, directory)?;
        let layout = Layout::at(&path);
        let reference = format!("docker-archive:{}", file.display());
        if layout.find(None).and_then(|top| read::read_any(&layout.blobs, &reference, &top)).is_ok()
            || !contents.files.contains_key("manifest.json")
        {
            return Ok(path);
        }
    }
    contents.put_together(directory)
}

/// A tar, and where its files are.
struct Contents {
    path: PathBuf,
    file: File,
    /// Position and size by name.
    files: BTreeMap<String, (u64, u64)>,
}

impl Contents {
    fn read(path: &Path) -> Result<Self, ImageError> {
        let mut file = archive::open(path)?;
        let files = list(&mut file);
        let unreadable = |error| bad(path, format!("it cannot be read as tar: {}", archive::reason(&error)));
        Ok(Self { files: files.map_err(unreadable)?, path: path.to_owned(), file })
    }

    fn part(&mut self, name: &str) -> Result<io::Take<&mut File>, ImageError> {
        let (offset, size) = *self.files.get(name).ok_or_else(|| bad(&self.path, format!("it has no {name}")))?;
        self.file.seek(SeekFrom::Start(offset)).map_err(ImageError::io("read", &self.path))?;
        Ok(self.file.by_ref().take(size))
    }

    fn document(&mut self, name: &str) -> Result<Vec<u8>, ImageError> {
        let path = self.path.clone();
        let mut bytes = Vec::new();
        self.part(name)?.take(document::LIMIT).read_to_end(&mut bytes).map_err(ImageError::io("read", &path))?;
        Ok(bytes)
    }

    /// Makes a layout of the image that `manifest.json` describes.
    fn put_together(&mut self, directory: &Path) -> Result<PathBuf, ImageError> {
        let path = self.path.clone();
        let manifest = self.document("manifest.json")?;
        let entries: Vec<Entry> =
            serde_json::from_slice(&manifest).map_err(|error| bad(&path, format!("its manifest.json: {error}")))?;
        let [entry] = &entries[..] else {
            return Err(bad(&path, format!("it holds {} images; save one alone", entries.len())));
        };
        let bytes = self.document(&entry.config)?;
        let config: Config =
            serde_json::from_slice(&bytes).map_err(|error| bad(&path, format!("its config: {error}")))?;
        let label = config.config.labels.as_ref().and_then(|labels| labels.get(oci::CLUSTER_IMAGE));
        let label = label.ok_or_else(|| bad(&path, format!("its config has no label {}", oci::CLUSTER_IMAGE)))?;
        let image = ClusterImage::parse(label, &format!("docker-archive:{}", path.display()))?;
        if image.components.len() != entry.layers.len() || entry.layers.len() != config.rootfs.diff_ids.len() {
            return Err(bad(&path, "its layers are not those of its components".to_owned()));
        }

        let layout = Layout::create(&directory.join(digest::of_bytes(&[manifest, bytes.clone()].concat())))?;
        let failed = |error| ImageError::io("write to", layout.directory())(error);
        let _lock = layout.blobs.lock().map_err(failed)?;
        for ((component, name), diff_id) in image.components.iter().zip(&entry.layers).zip(&config.rootfs.diff_ids) {
            if !layout.blobs.has(&component.blob) {
                let diff_id = diff_id.trim_start_matches("sha256:");
                let done = layer(&layout.blobs, component, diff_id, &mut self.part(name)?);
                done.map_err(|error| bad(&path, format!("component {}: {error}", component.name)))?;
            }
        }
        let config = layout.blobs.put(&bytes).map_err(failed)?;
        let json = serde_json::to_vec(&manifest_of(&image, &config)).map_err(|error| failed(error.into()))?;
        let mut top = Descriptor::new(oci::MANIFEST, &layout.blobs.put(&json).map_err(failed)?);
        let name = entry.repo_tags.iter().flatten().next().cloned();
        top.annotations.extend(name.map(|name| (oci::CONTAINERD_NAME.to_owned(), name)));
        layout.blobs.finish_layout(&Index::new(vec![top])).map_err(failed)?;
        Ok(layout.directory().to_owned())
    }
}

fn bad(path: &Path, reason: String) -> ImageError {
    ImageError::NotLayout { path: path.to_owned(), what: "a docker archive with a cluster image", reason }
}

fn list(file: &mut File) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut tar = tar::Archive::new(file);
    let mut files = BTreeMap::new();
    for entry in tar.entries_with_seek()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            files.insert(name, (entry.raw_file_position(), entry.size()));
        }
    }
    Ok(files)
}

/// Stores the layer of `component`, which comes as it is, or packed in another way.
fn layer(blobs: &Blobs, component: &Component, diff_id: &str, part: &mut io::Take<&mut File>) -> io::Result<()> {
    let other = |reason: String| io::Error::other(format!("{reason}; take the image from its registry instead"));
    let scratch = blobs.scratch()?;
    let copy = scratch.path().join("layer");
    let whole = part.limit();
    let count = io::copy(part, &mut File::create(&copy)?)?;
    if count < whole {
        return Err(io::Error::other("the archive ends in the middle of it; copy the archive again"));
    }
    if digest::of_file(&copy)? == component.blob {
        return blobs.adopt(&copy, &component.blob);
    }
    let tar = scratch.path().join("tar");
    unpacked(&copy, &mut File::create(&tar)?)?;
    let actual = digest::of_file(&tar)?.sha256;
    if actual != diff_id {
        return Err(other(format!("its layer has digest {actual}, not {diff_id}")));
    }
    // The same program that built the image gives the same bytes, and nothing else will do.
    let packed: Blob = pack_again(blobs, &component.kind, File::open(&tar)?)?;
    if packed == component.blob {
        return Ok(());
    }
    std::fs::remove_file(blobs.path(&packed.sha256))?;
    Err(other("docker has unpacked its layer, and packing it again does not give the same bytes".to_owned()))
}

/// Writes what is in a layer that is compressed with gzip or zstd, or not at all.
fn unpacked(path: &Path, out: &mut File) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    let count = file.read(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    match &magic[..count] {
        [0x1f, 0x8b, ..] => io::copy(&mut flate2::read::MultiGzDecoder::new(file), out),
        [0x28, 0xb5, 0x2f, 0xfd] => io::copy(&mut zstd::Decoder::new(file)?, out),
        _ => io::copy(&mut file, out),
    }
}
