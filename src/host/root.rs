//! Paths below `--root`: the host's own root, or a directory that stands for one.

use std::path::{Component, Path, PathBuf};

/// The root that every path of the agent is below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The root at `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Whether this is the running system's own root.
    pub fn is_live(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Where `absolute` is. `..` is dropped, so that no text leads out of the root.
    pub fn at(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let mut path = self.0.clone();
        path.extend(absolute.as_ref().components().filter(|part| matches!(part, Component::Normal(_))));
        path
    }

    /// The root itself.
    pub fn directory(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        let root = Root::new("/srv/host");
        for (absolute, expected) in [
            ("/etc/hosts", "/srv/host/etc/hosts"),
            ("etc", "/srv/host/etc"),
            ("/../../etc/./passwd", "/srv/host/etc/passwd"),
            ("/", "/srv/host"),
        ] {
            assert_eq!(root.at(absolute), Path::new(expected), "{absolute}");
        }
        assert_eq!(Root::new("/").at("/etc/hosts"), Path::new("/etc/hosts"));
        assert!(Root::new("/").is_live() && !root.is_live());
    }
}
