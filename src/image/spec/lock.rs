//! The lock of a spec: digests for whatever the spec itself does not pin. Committed beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ApiVersion, Spec, source};
use crate::image::{Architecture, digest};

/// What a spec leaves open, and a lock pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// Downloads without a checksum, by address; where the spec says that the publisher has the checksums, if it does.
    pub files: BTreeMap<String, Option<String>>,
    /// Container images without a digest, and the architectures that must be among their variants.
    pub images: BTreeMap<String, BTreeSet<Architecture>>,
}

/// Digests for what a spec leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    api_version: ApiVersion,
    kind: Kind,
    /// Name of the spec's image.
    pub name: String,
    /// SHA-256 of downloads, 64 hex digits, by address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Digests of container images (`sha256:…`, of the index where there are several variants) by reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    ImageLock,
}

/// An input that is another one than an earlier lock says: a tag that moved, a file that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Address or reference.
    pub input: String,
    /// Digest in the earlier lock.
    pub locked: String,
    /// Digest now.
    pub now: String,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} moved: locked as {}, now {}", self.input, self.locked, self.now)
    }
}

/// Why a lock cannot be read.
#[derive(Debug, Error)]
pub enum LockFileError {
    /// The file system refused.
    #[error("cannot read the lock {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// Not a lock.
    #[error("{path} is not the lock of a spec: {message}; remove it and run: kubewright image lock")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl Lock {
    /// A lock of these digests for the spec called `name`.
    pub fn new(name: &str, files: BTreeMap<String, String>, images: BTreeMap<String, String>) -> Self {
        Self { api_version: ApiVersion::V1Alpha1, kind: Kind::ImageLock, name: name.to_owned(), files, images }
    }

    /// Where the lock of the spec at `spec` is: `NAME.lock.yaml` beside `NAME.yaml`.
    pub fn path_for(spec: &Path) -> PathBuf {
        spec.with_extension("lock.yaml")
    }

    /// Whether `path` is named as a lock is.
    pub fn is_path(path: &Path) -> bool {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(".lock.yaml"))
    }

    /// Reads the lock at `path`; `None` where there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, LockFileError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map(Some).map_err(|message| LockFileError::Syntax { path: path.to_owned(), message })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockFileError::Read { path: path.to_owned(), source }),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let is_digest = |digest: &str| digest.strip_prefix("sha256:").is_some_and(digest::is_sha256);
        let bad = lock.files.iter().find(|(_, sha256)| !digest::is_sha256(sha256));
        match bad.or_else(|| lock.images.iter().find(|(_, digest)| !is_digest(digest))) {
            Some((input, digest)) => Err(format!("{digest:?} of {input} is no SHA-256 digest")),
            None => Ok(lock),
        }
    }

    /// The lock as a file: sorted, the same for the same digests.
    pub fn to_yaml(&self) -> String {
        // Written out here: every value is of a kind that needs no more than quotes.
        let mut text = format!(
            "# Made by `kubewright image lock`; commit it beside its spec.\n\
             apiVersion: kubewright.dev/v1alpha1\nkind: ImageLock\nname: {}\n",
            self.name
        );
        for (key, digests) in [("files", &self.files), ("images", &self.images)] {
            if !digests.is_empty() {
                text.push_str(&format!("{key}:\n"));
            }
            for (input, digest) in digests {
                text.push_str(&format!("  {}: {digest}\n", quoted(input)));
            }
        }
        text
    }

    /// Writes the lock to `path`: beside it, synced and renamed.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(self.to_yaml().as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    /// What `self` has otherwise than `earlier`; new and dropped inputs are no matter.
    pub fn moved_since(&self, earlier: &Self) -> Vec<Moved> {
        let pairs = [(&self.files, &earlier.files), (&self.images, &earlier.images)];
        let moved = pairs.into_iter().flat_map(|(now, before)| {
            now.iter().filter_map(|(input, now)| {
                let locked = before.get(input).filter(|locked| *locked != now)?;
                Some(Moved { input: input.clone(), locked: locked.clone(), now: now.clone() })
            })
        });
        moved.collect()
    }
}

/// JSON's strings are YAML's, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Spec {
    /// What the spec does not pin by itself.
    pub fn open(&self) -> Open {
        let mut open = Open::default();
        for component in &self.components {
            let version = &component.version;
            for source in component.sources() {
                let Some(url) = &source.url else { continue };
                for architecture in self.architectures.iter().copied() {
                    if source.sha256.as_ref().and_then(|sha256| sha256.get(architecture)).is_none() {
                        let expand = |text: &String| source::expand(text, version, architecture);
                        open.files.insert(expand(url), source.checksums.as_ref().map(expand));
                    }
                }
            }
            for image in &component.images {
                let Some(reference) = &image.image else { continue };
                let lacks = |architecture: &Architecture| match &image.digest {
                    Some(digest) => digest.get(*architecture).is_none(),
                    None => true,
                };
                if self.architectures.iter().any(lacks) {
                    let reference = source::expand_version(reference, version);
                    open.images.entry(reference).or_default().extend(self.architectures.iter().copied());
                }
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.org/a: b#c";

    fn lock(files: &[(&str, &str)], images: &[(&str, &str)]) -> Lock {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Lock::new("a", map(files), map(images))
    }

    #[test]
    fn a_lock_is_sorted_and_reads_back() {
        let (one, two) = ("1".repeat(64), format!("sha256:{}", "2".repeat(64)));
        let lock = lock(&[(URL, &one), ("http://a/b", &one)], &[("registry.example/a:1", &two)]);
        let text = lock.to_yaml();
        insta::assert_snapshot!(text, @r#"
        # Made by `kubewright image lock`; commit it beside its spec.
        apiVersion: kubewright.dev/v1alpha1
        kind: ImageLock
        name: a
        files:
          "http://a/b": 1111111111111111111111111111111111111111111111111111111111111111
          "https://example.org/a: b#c": 1111111111111111111111111111111111111111111111111111111111111111
        images:
          "registry.example/a:1": sha256:2222222222222222222222222222222222222222222222222222222222222222
        "#);
        assert_eq!(Lock::parse(&text), Ok(lock));
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock.yaml");
        assert_eq!(Lock::load(&path).unwrap(), None);
        let good = lock(&[(URL, &"1".repeat(64))], &[]).to_yaml();
        for (text, why) in [
            (good.replace("ImageLock", "ImageSpec"), "ImageSpec"),
            (good.replace(&"1".repeat(64), "none"), "is no SHA-256 digest"),
            (format!("{good}more: 1\n"), "more"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Lock::load(&path).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("a.lock.yaml is not the lock"), "{error}");
        }
    }

    #[test]
    fn only_what_is_in_both_can_have_moved() {
        let before = lock(&[("a", "1"), ("b", "1"), ("gone", "1")], &[("i", "1")]);
        let now = lock(&[("a", "1"), ("b", "2"), ("new", "1")], &[("i", "2")]);
        let moved: Vec<_> = now.moved_since(&before).iter().map(ToString::to_string).collect();
        assert_eq!(moved, ["b moved: locked as 1, now 2", "i moved: locked as 1, now 2"]);
    }

    #[test]
    fn the_lock_is_beside_its_spec() {
        assert_eq!(
            Lock::path_for(Path::new("images/kubernetes-1.36.yaml")),
            Path::new("images/kubernetes-1.36.lock.yaml")
        );
        assert!(Lock::is_path(Path::new("images/a.lock.yaml")) && !Lock::is_path(Path::new("images/a.yaml")));
    }
}
