//! The files of one lab.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::topology::LabHost;
use super::uml::Uml;
use super::{LabError, Options, files};

/// The directory of a lab, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
}

impl Layout {
    pub(super) fn keys(&self) -> Keys {
        Keys::at(self.directory.join("keys"))
    }

    pub(super) fn inventory(&self) -> PathBuf {
        self.directory.join("inventory.yaml")
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.directory.join("known_hosts")
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// Directory in `PATH` of commands that run inside the lab.
    pub(super) fn programs(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// What kubewright keeps of the lab's cluster, when it runs inside the lab.
    pub(super) fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Directory with a file for each command that was started inside the lab.
    pub(super) fn commands(&self) -> PathBuf {
        self.directory.join("commands")
    }

    /// Directory with one directory per host.
    pub(super) fn hosts(&self) -> PathBuf {
        self.directory.join("hosts")
    }

    pub(super) fn record(&self) -> PathBuf {
        self.directory.join("lab.json")
    }
}

/// What a lab was made of. Written before anything of the lab exists outside its directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) options: Options,
    /// The base image that the hosts' disks build upon, whatever the recipe is by now.
    pub(super) base: PathBuf,
    /// The kernel whose modules are on it.
    pub(super) kernel: Uml,
    pub(super) hosts: Vec<LabHost>,
}

impl Record {
    /// Reads the record of the lab in `layout`; none where there is no lab.
    pub(super) fn read(layout: &Layout) -> Result<Option<Self>, LabError> {
        let path = layout.record();
        let Some(text) = files::read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| damaged(&path, &error))
    }

    pub(super) fn write(&self, layout: &Layout) -> Result<(), LabError> {
        let path = layout.record();
        let text = serde_json::to_string_pretty(self).map_err(|error| damaged(&path, &error))?;
        files::write(&path, text, 0o600)
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> LabError {
    LabError::Machine {
        what: format!("{} does not describe a lab: {error}", path.display()),
        hint: "another version of kubewright made it, or it is damaged: end the lab with `kubewright lab down`".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::topology;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout { directory: directory.path().to_owned() };
        assert_eq!(Record::read(&layout).unwrap(), None);
        let options = Options::new("lab".parse().unwrap());
        let record = Record {
            hosts: topology::hosts(&options),
            options,
            base: "/cache/base.img".into(),
            kernel: Uml::packaged(),
        };
        record.write(&layout).unwrap();
        assert_eq!(Record::read(&layout).unwrap(), Some(record));
        std::fs::write(layout.record(), "{}").unwrap();
        assert!(Record::read(&layout).unwrap_err().to_string().contains("lab down"));
    }
}
