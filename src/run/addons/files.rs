//! The texts of add-ons, from files of this machine and from the cluster image.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::failure::HostFailure;
use crate::cluster::{Addon, AddonSource, Cluster};
use crate::desired;
use crate::image::{ManifestFile, OpenImage};
use crate::regular_file;

/// More than this is no list of objects.
const MOST: u64 = 64 << 20;
/// Largest file; the kinds of the largest operators take three.
const LARGEST: u64 = 10 << 20;
/// Deepest directory: a link to a directory above itself goes on for ever.
const DEEPEST: usize = 16;
/// Files that count in a directory, in any case.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Texts by the name of an add-on, or of the component with the kinds of a network plugin.
type Texts = BTreeMap<String, Vec<ManifestFile>>;

/// The texts, and which of them cannot be read.
pub(in crate::run) fn manifests(cluster: &Cluster, image: &OpenImage) -> (Texts, Vec<HostFailure>) {
    let (found, failures) = texts(cluster, Some(image));
    let failure = |(name, _, why): (String, _, String)| match name.as_str() {
        desired::CALICO_KINDS => HostFailure::cluster("read the kinds of Calico", why),
        name => HostFailure::cluster(format!("read the add-on {name}"), why),
    };
    (found, failures.into_iter().map(failure).collect())
}

/// The texts, and those that cannot be read: name, path, why. Without the image, what is in it is left out.
pub(super) fn texts(cluster: &Cluster, image: Option<&OpenImage>) -> (Texts, Vec<(String, PathBuf, String)>) {
    let (mut found, mut failures) = (BTreeMap::new(), Vec::new());
    let of_image =
        |image: &OpenImage, name: &str| image.manifests(name).map_err(|error| (PathBuf::from(name), error.to_string()));
    let mut take = |name: &str, files: Result<Vec<ManifestFile>, (PathBuf, String)>| match files {
        Ok(files) => drop(found.insert(name.to_owned(), files)),
        Err((path, why)) => failures.push((name.to_owned(), path, why)),
    };
    for Addon { name, source, .. } in &cluster.addons {
        match (source, image) {
            (AddonSource::Path(path), _) => {
                take(name, read(path).map_err(|error| (path.clone(), format!("{}: {error}", path.display()))));
            }
            (AddonSource::Image, Some(image)) => take(name, of_image(image, name)),
            (AddonSource::Image, None) => {}
        }
    }
    if let Some(image) = image.filter(|_| cluster.network.calico().is_some()) {
        take(desired::CALICO_KINDS, of_image(image, desired::CALICO_KINDS));
    }
    (found, failures)
}

/// A file, or those of a directory and of all below it, in order of path.
fn read(path: &Path) -> io::Result<Vec<ManifestFile>> {
    let mut paths = Vec::new();
    if std::fs::metadata(path).map_err(absent)?.is_dir() {
        list(path, 0, &mut paths)?
    } else {
        paths.push(path.to_owned())
    }
    paths.sort();
    let mut left = MOST;
    let mut files = Vec::new();
    for found in paths {
        let named = |error: io::Error| match found == path {
            true => error,
            false => io::Error::new(error.kind(), format!("{}: {error}", found.display())),
        };
        let text = regular_file::read_text(&found, LARGEST).map_err(named)?;
        left = left
            .checked_sub(text.len() as u64)
            .ok_or_else(|| io::Error::other(format!("more than {} MiB of manifests", MOST >> 20)))?;
        files.push(ManifestFile { path: found, text });
    }
    Ok(files)
}

/// What to do where the `path` of an add-on leads nowhere.
fn absent(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::NotFound {
        return error;
    }
    let hint = "a `path` that is not absolute begins at the directory of the inventory; correct it, or put the manifests there";
    io::Error::new(error.kind(), format!("{error}; {hint}"))
}

/// Names an entry of a directory, and where it leads if it is a link.
fn entry_fault(path: &Path, error: &io::Error) -> io::Error {
    let link = match std::fs::read_link(path) {
        Ok(target) => format!(" (a link to {}); correct it, or remove it", target.display()),
        Err(_) => String::new(),
    };
    io::Error::new(error.kind(), format!("{}: {error}{link}", path.display()))
}

fn list(directory: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other(format!("{} is more than {DEEPEST} directories deep", directory.display())));
    }
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match std::fs::metadata(&path).map_err(|error| entry_fault(&path, &error))?.is_dir() {
            true => list(&path, depth + 1, paths)?,
            false if ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)) => paths.push(path),
            false => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_in_order_and_what_is_no_manifest_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("below")).unwrap();
        for name in ["b.yaml", "a.yml", "below/c.json", ".hidden.yaml", "README.md", "b.yaml.bak", "C.YAML", "D.Yml"] {
            std::fs::write(directory.path().join(name), name).unwrap();
        }
        let texts: Vec<String> = read(directory.path()).unwrap().into_iter().map(|file| file.text).collect();
        assert_eq!(texts, ["C.YAML", "D.Yml", "a.yml", "b.yaml", "below/c.json"]);
        assert_eq!(read(&directory.path().join("README.md")).unwrap().len(), 1);
        assert!(read(&directory.path().join("missing")).is_err());
    }

    #[test]
    fn what_never_ends_is_refused() {
        let error = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "it is a device, and must be a file");
        let directory = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&directory.path().join("a.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("a.yaml: it is a FIFO"), "{error}");
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(".", directory.path().join("again")).unwrap();
        let error = read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("more than 16 directories deep"), "{error}");
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = read(&directory.path().join("nope.yaml")).unwrap_err().to_string();
        assert!(error.contains("begins at the directory of the inventory; correct it"), "{error}");
        std::os::unix::fs::symlink("gone", directory.path().join("a.yaml")).unwrap();
        let error = read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("a.yaml: No such file") && error.contains("(a link to gone); correct it"), "{error}");
    }
}
