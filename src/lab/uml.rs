//! The program that is a host's kernel: the one that `scripts/lab-kernel.sh` builds for labs, or else Debian's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Places;

/// User-mode Linux, and the modules that belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uml {
    /// The program: a path, or a name to be looked for.
    pub(super) program: PathBuf,
    /// One directory per kernel release.
    pub(super) modules: PathBuf,
    /// What it can do that Debian's cannot, as words on its command line.
    pub(super) words: Vec<String>,
}

impl Uml {
    /// The best that is on this machine.
    pub(super) fn find(places: &Places) -> Self {
        let built = places.cache.join("lab/kernel");
        let program = built.join("linux.uml");
        if program.is_file() {
            // Programs of the host then run under seccomp and not under ptrace: a page fault costs half as much.
            return Self { program, modules: built.join("modules"), words: vec!["seccomp=auto".into()] };
        }
        Self::packaged()
    }

    /// Debian's package user-mode-linux.
    pub(super) fn packaged() -> Self {
        Self { program: "linux.uml".into(), modules: "/usr/lib/uml/modules".into(), words: Vec::new() }
    }

    /// Whether it is Debian's, which must be installed.
    pub(super) fn is_packaged(&self) -> bool {
        self.program.is_relative()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_kernel_is_taken_where_there_is_one() {
        let cache = tempfile::tempdir().unwrap();
        let places = Places { cache: cache.path().into(), state: "/state".into(), program: "/k".into() };
        assert_eq!(Uml::find(&places), Uml::packaged());
        let directory = cache.path().join("lab/kernel");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("linux.uml"), "").unwrap();
        let built = Uml::find(&places);
        assert!(!built.is_packaged() && built.modules == directory.join("modules"), "{built:?}");
    }
}
