//! Where a cluster image is, parsed.

use std::fmt;
use std::path::PathBuf;

use super::ImageError;

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
}

impl Location {
    /// Parses `oci:DIR[:TAG]` and `oci-archive:FILE`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let bad = |reason: &'static str| ImageError::Reference { reference: text.to_owned(), reason };
        if let Some(file) = text.strip_prefix("oci-archive:") {
            return if file.is_empty() {
                Err(bad("the file is missing"))
            } else {
                Ok(Self::Archive { file: file.into() })
            };
        }
        let rest = text.strip_prefix("oci:").ok_or_else(|| bad("it starts with neither"))?;
        // A tag has no slash, so that "oci:/a:b/c" is a directory as a whole.
        let (directory, tag) = match rest.rsplit_once(':') {
            Some((directory, tag)) if !tag.contains('/') => (directory, Some(tag)),
            _ => (rest, None),
        };
        if directory.is_empty() {
            return Err(bad("the directory is missing"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(bad("the tag must be 1 to 128 letters, digits, '.', '_', '-', and not start with '.' or '-'"));
        }
        Ok(Self::Layout { directory: directory.into(), tag: tag.map(str::to_owned) })
    }
}

/// Whether `text` is a tag, as registries have them.
pub(super) fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { directory, tag: None } => write!(f, "oci:{}", directory.display()),
            Self::Layout { directory, tag: Some(tag) } => write!(f, "oci:{}:{tag}", directory.display()),
            Self::Archive { file } => write!(f, "oci-archive:{}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_parse_and_print() {
        for text in ["oci:images/a", "oci:/a:v1.20.2", "oci:/a:b/c", "oci-archive:/media/usb/a.tar"] {
            assert_eq!(Location::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Location::parse("oci:/a:v1").unwrap(),
            Location::Layout { directory: "/a".into(), tag: Some("v1".into()) }
        );
        assert_eq!(Location::parse("oci:/a:b/c").unwrap(), Location::Layout { directory: "/a:b/c".into(), tag: None });
    }

    #[test]
    fn other_references_are_refused() {
        for (text, why) in [
            ("registry.example/a:v1", "starts with neither"),
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
