//! Where a cluster image is, parsed.

use std::fmt;
use std::path::PathBuf;

use super::ImageError;
pub(super) use crate::cluster::is_tag;
use crate::cluster::{RegistryReference, TAG_RULE};

/// A place that holds a cluster image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `oci:DIR[:TAG]`: a directory in OCI image layout.
    Layout {
        /// The directory.
        directory: PathBuf,
        /// The tag; without one, the directory must hold exactly one image.
        tag: Option<String>,
    },
    /// `oci-archive:FILE`: a tar of such a directory, with one image.
    Archive {
        /// The file.
        file: PathBuf,
    },
    /// `docker-archive:FILE`: what `docker save` writes, with one image.
    DockerArchive {
        /// The file.
        file: PathBuf,
    },
    /// `REGISTRY/NAME:TAG[@DIGEST]`: in the store of this machine, otherwise in the registry.
    Registry(RegistryReference),
}

impl Location {
    /// Parses `REGISTRY/NAME:TAG[@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE` and `docker-archive:FILE`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let bad = |reason: &'static str| ImageError::Reference { reference: text.to_owned(), reason };
        match text.split_once(':') {
            Some(("oci-archive" | "docker-archive", "")) => Err(bad("the file is missing")),
            Some(("oci-archive", file)) => Ok(Self::Archive { file: file.into() }),
            Some(("docker-archive", file)) => Ok(Self::DockerArchive { file: file.into() }),
            Some(("oci", rest)) => layout(rest).map_err(bad),
            _ => RegistryReference::parse(text).map(Self::Registry).map_err(bad),
        }
    }

    /// The same place; a directory for which no tag is named gets that of `source`, if it has one.
    pub(super) fn with_tag_of(&self, source: &Self) -> Self {
        match (self, source) {
            (Self::Layout { directory, tag: None }, Self::Registry(RegistryReference { tag, .. }))
            | (Self::Layout { directory, tag: None }, Self::Layout { tag, .. }) => {
                Self::Layout { directory: directory.clone(), tag: tag.clone() }
            }
            _ => self.clone(),
        }
    }
}

/// `DIR[:TAG]`.
fn layout(text: &str) -> Result<Location, &'static str> {
    // A tag has no slash, so that "oci:/a:b/c" is a directory as a whole.
    let (directory, tag) = match text.rsplit_once(':') {
        Some((directory, tag)) if !tag.contains('/') => (directory, Some(tag)),
        _ => (text, None),
    };
    match tag {
        _ if directory.is_empty() => Err("the directory is missing"),
        Some(tag) if !is_tag(tag) => Err(TAG_RULE),
        _ => Ok(Location::Layout { directory: directory.into(), tag: tag.map(str::to_owned) }),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { directory, tag: None } => write!(f, "oci:{}", directory.display()),
            Self::Layout { directory, tag: Some(tag) } => write!(f, "oci:{}:{tag}", directory.display()),
            Self::Archive { file } => write!(f, "oci-archive:{}", file.display()),
            Self::DockerArchive { file } => write!(f, "docker-archive:{}", file.display()),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_parse_and_print() {
        for text in [
            "oci:images/a",
            "oci:/a:v1.20.2",
            "oci:/a:b/c",
            "oci-archive:/media/usb/a.tar",
            "docker-archive:a:b.tar",
            "registry.example:5000/a/b:v1",
        ] {
            assert_eq!(Location::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Location::parse("oci:/a:v1").unwrap(),
            Location::Layout { directory: "/a".into(), tag: Some("v1".into()) }
        );
        assert_eq!(Location::parse("oci:/a:b/c").unwrap(), Location::Layout { directory: "/a:b/c".into(), tag: None });
    }

    #[test]
    fn a_tag_is_taken_over_where_none_is_named() {
        let with_tag_of = |text: &str, source: &str| {
            Location::parse(text).unwrap().with_tag_of(&Location::parse(source).unwrap()).to_string()
        };
        assert_eq!(with_tag_of("oci:a", "r.example/a:v1"), "oci:a:v1");
        assert_eq!(with_tag_of("oci:a", "oci:b:v2"), "oci:a:v2");
        assert_eq!(with_tag_of("oci:a:v3", "r.example/a:v1"), "oci:a:v3");
        assert_eq!(with_tag_of("oci:a", "oci-archive:b"), "oci:a");
        assert_eq!(with_tag_of("oci-archive:a", "r.example/a:v1"), "oci-archive:a");
    }

    #[test]
    fn other_references_are_refused() {
        for (text, why) in [
            ("busybox:latest", "it names no registry"),
            ("registry.example/a", "neither tag nor digest"),
            ("docker-archive:", "file is missing"),
            ("oci:", "directory is missing"),
            ("oci::v1", "directory is missing"),
            ("oci:/a:", "the tag must be"),
            ("oci:/a:-v", "the tag must be"),
            ("oci-archive:", "file is missing"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
