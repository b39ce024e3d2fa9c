//! Objects of Kubernetes that a cluster image carries: kinds of the network plugin, add-ons.

mod documents;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ComponentKind, ImageError, OpenImage};

pub use documents::{TextFault, TextObject, says_nothing, text_objects};

/// More than this in one component is no list of objects.
pub(super) const MOST: u64 = 64 << 20;

/// Where a component's layer has its manifests.
pub(super) fn directory(component: &str) -> String {
    format!("opt/kubewright/manifests/{component}")
}

/// A file with objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its path, for errors: in the component, or on this machine.
    pub path: PathBuf,
    /// YAML of any number of documents.
    pub text: String,
}

impl OpenImage {
    /// The manifests of `component`, in order of path; none where the image has no such component.
    pub fn manifests(&self, component: &str) -> Result<Vec<ManifestFile>, ImageError> {
        let found = self.manifest.component(component).filter(|found| found.kind == ComponentKind::Manifests);
        let Some(found) = found else { return Ok(Vec::new()) };
        self.verify(&found.blob)?;
        let path = self.blob_path(&found.blob);
        read(&path, Path::new(&directory(component))).map_err(ImageError::io("read", &path))
    }
}

/// Every container image that pods of these objects run.
pub fn container_images(objects: &[Value]) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let containers = ["containers", "initContainers"].contains(&key.as_str());
                    let images = value.as_array().filter(|_| containers).into_iter().flatten();
                    found.extend(images.filter_map(|container| Some(container["image"].as_str()?.to_owned())));
                    collect(value, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    objects.iter().for_each(|object| collect(object, &mut found));
    found
}

fn read(layer: &Path, prefix: &Path) -> io::Result<Vec<ManifestFile>> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(layer)?)?);
    let mut files = Vec::new();
    let mut left = MOST;
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        let Ok(path) = path.strip_prefix(prefix) else { continue };
        let path = path.to_owned();
        left = left.checked_sub(entry.size()).ok_or_else(|| io::Error::other("its manifests are too large"))?;
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        files.push(ManifestFile { path, text });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}
