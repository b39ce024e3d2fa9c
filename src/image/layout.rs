//! A directory in OCI image layout: blobs, and an index that names images among them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ImageError;
use super::blobs::Blobs;
use super::document;
use super::oci::{self, Descriptor, Index};
use super::signature::is_signature_tag;
use super::small;

/// A directory in OCI image layout.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    directory: PathBuf,
    pub(super) blobs: Blobs,
}

impl Layout {
    /// The layout in `directory`; nothing is touched.
    pub(super) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), blobs: Blobs::at(directory) }
    }

    /// The layout in `directory`, which is made where it is missing. A directory with anything else in it is refused.
    pub(super) fn create(directory: &Path) -> Result<Self, ImageError> {
        let layout = Self::at(directory);
        let foreign = match fs::read_dir(directory) {
            Ok(mut entries) => entries.next().is_some() && !directory.join("blobs/sha256").exists(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(ImageError::io("write to", directory)(error)),
        };
        if foreign {
            return Err(ImageError::NotLayout {
                path: directory.to_owned(),
                what: "an OCI image layout",
                reason: "it has other files in it; name another directory".to_owned(),
            });
        }
        Blobs::create(directory).map_err(ImageError::io("create", directory))?;
        Ok(layout)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The index; `None` when there is none yet.
    pub(super) fn index(&self) -> Result<Option<Index>, ImageError> {
        index_of(&self.directory)
    }

    /// What has the name `tag`, or without one, the only image.
    pub(super) fn find(&self, tag: Option<&str>) -> Result<Descriptor, ImageError> {
        if !self.directory.exists() {
            return Err(ImageError::NotFound { path: self.directory.clone() });
        }
        let index = self.index()?.ok_or_else(|| ImageError::NotLayout {
            path: self.directory.clone(),
            what: "an OCI image layout",
            reason: "it has no index.json".to_owned(),
        })?;
        choose(&self.directory, &index, tag).cloned()
    }

    /// What has exactly this name, if anything has.
    pub(super) fn get(&self, name: &str) -> Result<Option<Descriptor>, ImageError> {
        let manifests = self.index()?.map_or(Vec::new(), |index| index.manifests);
        Ok(manifests.into_iter().find(|one| name_of(one) == Some(name)))
    }

    /// Gives `descriptor`, whose blobs are there, the name `name`; other names stay. The caller holds the lock.
    pub(super) fn set(&self, name: &str, mut descriptor: Descriptor) -> Result<(), ImageError> {
        descriptor.annotations.insert(oci::TAG.to_owned(), name.to_owned());
        let mut manifests = self.index()?.map_or(Vec::new(), |index| index.manifests);
        manifests.retain(|other| name_of(other) != Some(name));
        manifests.push(descriptor);
        self.write(manifests)
    }

    /// Writes an index of `manifests`. The caller holds the lock.
    pub(super) fn write(&self, manifests: Vec<Descriptor>) -> Result<(), ImageError> {
        self.blobs.finish_layout(&Index::new(manifests)).map_err(ImageError::io("write to", &self.directory))
    }
}

/// The name of what `descriptor` stands for in an index.
pub(super) fn name_of(descriptor: &Descriptor) -> Option<&str> {
    descriptor.annotations.get(oci::TAG).map(String::as_str)
}

/// The index of the layout in `directory`; `None` when there is none yet.
pub(super) fn index_of(directory: &Path) -> Result<Option<Index>, ImageError> {
    let path = directory.join("index.json");
    let bytes = match small::read(&path, document::LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(ImageError::io("read", &path)(error)),
    };
    let index = serde_json::from_slice(&bytes).map_err(|error| format!("it cannot be understood: {error}"));
    index.map(Some).map_err(|reason| ImageError::NotLayout { path, what: "the index of an OCI image layout", reason })
}

/// Signatures have names, too, but are no images.
fn choose<'a>(directory: &Path, index: &'a Index, tag: Option<&str>) -> Result<&'a Descriptor, ImageError> {
    let images: Vec<_> = index.manifests.iter().filter(|one| !name_of(one).is_some_and(is_signature_tag)).collect();
    let tags = || images.iter().filter_map(|one| name_of(one)).map(str::to_owned).collect();
    let directory = directory.to_owned();
    match (tag, &images[..]) {
        (None, [only]) => Ok(only),
        (None, several) => Err(ImageError::Ambiguous { directory, count: several.len(), tags: tags() }),
        (Some(tag), images) => {
            let found = images.iter().find(|one| name_of(one) == Some(tag)).copied();
            found.ok_or_else(|| ImageError::NoSuchTag { directory, tag: tag.to_owned(), tags: tags() })
        }
    }
}
