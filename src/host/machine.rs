//! The host that an agent works on: its root and its running system.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use zstd::zstd_safe::DCtx;

use super::protocol::Failure;
use super::root::Root;
use super::system::{Elsewhere, Live, System};

/// Where the agent keeps what is its own.
pub(super) const STATE: &str = "/var/lib/kubewright";

/// One host.
#[derive(Clone)]
pub(super) struct Machine {
    pub(super) root: Root,
    pub(super) system: Arc<dyn System>,
    /// Decompresses layers, one after the other: the window of a layer is megabytes, and touching them anew for each
    /// layer would take longer than decompressing it where page faults are dear.
    pub(super) decoder: Arc<Mutex<DCtx<'static>>>,
}

impl Machine {
    /// The host at `root`: the running system for `/`, a directory of files otherwise.
    pub(super) fn at(root: PathBuf) -> Self {
        let root = Root::new(root);
        let system: Arc<dyn System> = if root.is_live() { Arc::new(Live::new()) } else { Arc::new(Elsewhere::new()) };
        Self::new(root, system)
    }

    /// The host at `root` with `system` running on it.
    pub(super) fn new(root: Root, system: Arc<dyn System>) -> Self {
        Self { root, system, decoder: Arc::new(Mutex::new(DCtx::create())) }
    }

    /// The text of a file; `None` when there is none.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        match self.bytes(path)?.map(String::from_utf8) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(error)) => {
                let good = error.utf8_error().valid_up_to();
                let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
                let hint =
                    format!("line {line} of it has bytes of another encoding: write them as UTF-8, and run again");
                Err(Failure::new(format!("reading {path}"), "it is not UTF-8 text").hint(hint))
            }
        }
    }

    /// The content of a file; `None` when there is none.
    pub(super) fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        found(fs::read(self.root.at(path))).map_err(|error| Failure::new(format!("reading {path}"), error))
    }

    /// The names in a directory, sorted; none when there is no such directory.
    pub(super) fn names(&self, path: &str) -> Result<Vec<String>, Failure> {
        let list = || -> io::Result<Vec<String>> {
            let Some(entries) = found(fs::read_dir(self.root.at(path)))? else { return Ok(Vec::new()) };
            let mut names = Vec::new();
            for entry in entries {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names)
        };
        list().map_err(|error| Failure::new(format!("listing {path}"), error))
    }

    /// Whether something is at `path`; a link that leads nowhere is something.
    pub(super) fn exists(&self, path: &str) -> Result<bool, Failure> {
        let found = found(fs::symlink_metadata(self.root.at(path)));
        found.map(|meta| meta.is_some()).map_err(|error| Failure::new(format!("looking at {path}"), error))
    }

    /// Makes a directory of the agent's own, for root alone.
    pub(super) fn own_directory(&self, path: &str) -> Result<PathBuf, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let directory = self.root.at(path);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(|error| Failure::new(format!("making {path}"), error))?;
        Ok(directory)
    }
}

/// "Not there" as `None`; every other error stays one: absent and "could not look" are different answers.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_could_not_look_are_different_answers() {
        let directory = tempfile::tempdir().unwrap();
        let machine = Machine::at(directory.path().to_owned());
        assert_eq!(machine.text("/etc/hosts").unwrap(), None);
        assert_eq!(machine.names("/etc").unwrap(), Vec::<String>::new());
        fs::create_dir(directory.path().join("etc")).unwrap();
        assert!(machine.text("/etc").unwrap_err().to_string().starts_with("reading /etc: "));
        fs::write(directory.path().join("etc/binary"), [0xff, 0xfe]).unwrap();
        assert!(machine.text("/etc/binary").unwrap_err().to_string().contains("not UTF-8"));
        assert_eq!(machine.names("/etc").unwrap(), ["binary"]);
        assert_eq!(machine.text("/etc/binary/below").unwrap(), None);
    }
}
