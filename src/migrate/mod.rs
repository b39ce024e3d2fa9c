//! Other tools' inventories to ours: what they say goes into the inventory, what has no place there is listed, and what
//! nobody but the user can decide is marked. Nothing is contacted, and nothing but the named files is read.
//!
//! Files → a reader for each tool → `draft` (our nouns, with their places in the source) → `write` → the rules of the
//! inventory itself. It must know no hosts, no API and no runs: documents of a live cluster are handed over.

mod arguments;
mod document;
mod draft;
mod files;
mod finish;
mod k0sctl;
mod kubeadm;
mod kubespray;
mod plugin;
mod proxy;
mod rest;
mod scalar;
mod units;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use draft::Problem;
pub use finish::Migrated;

use crate::cluster::ClusterName;

/// Where an inventory comes from: `TOOL:PLACE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An inventory of kubespray: its directory, or the file with the hosts.
    Kubespray(PathBuf),
    /// A configuration of k0sctl.
    K0sctl(PathBuf),
    /// A cluster of kubeadm: a directory with documents of its API, or a kubeconfig by which to ask it; without either,
    /// the kubeconfig that kubectl would take.
    Kubeadm(Option<PathBuf>),
}

/// A file, or a document of the API, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What messages call it.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Why there is no inventory.
#[derive(Debug, Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}; name what is there with --from", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was named is not what the tool has.
    #[error("{0}")]
    Unsuitable(String),
    /// The files were read, and no valid inventory follows from them.
    #[error("{}", render(.0))]
    Invalid(Vec<Problem>),
}

fn render(problems: &[Problem]) -> String {
    let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    let count = problems.len();
    format!("{lines}{count} problem{}; no inventory was written", if count == 1 { "" } else { "s" })
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("kubespray", path)) if !path.is_empty() => Ok(Self::Kubespray(path.into())),
            Some(("k0sctl", path)) if !path.is_empty() => Ok(Self::K0sctl(path.into())),
            Some(("kubeadm", path)) if !path.is_empty() => Ok(Self::Kubeadm(Some(path.into()))),
            None if text == "kubeadm" => Ok(Self::Kubeadm(None)),
            _ => Err("write kubespray:DIR, k0sctl:FILE, kubeadm, kubeadm:KUBECONFIG or kubeadm:DIR".into()),
        }
    }
}

impl Source {
    /// The kubeconfig of a running cluster, none for the usual one; nothing where files say everything.
    pub fn running(&self) -> Option<Option<&Path>> {
        match self {
            Self::Kubeadm(None) => Some(None),
            Self::Kubeadm(Some(path)) if !path.is_dir() => Some(Some(path)),
            _ => None,
        }
    }
}

/// Reads the files of `source` and makes an inventory of them. `name` is what the user wants the cluster to be called.
pub fn from_files(source: &Source, name: Option<&ClusterName>) -> Result<Migrated, Error> {
    let draft = match source {
        Source::Kubespray(path) => kubespray::draft(&path.display().to_string(), &files::kubespray(path)?),
        Source::K0sctl(path) => k0sctl::draft(&path.display().to_string(), &files::file(path)?),
        Source::Kubeadm(Some(path)) => kubeadm::draft(&path.display().to_string(), &files::documents(path)?),
        Source::Kubeadm(None) => return Err(Error::Unsuitable("a running cluster has no files here".into())),
    };
    finish::finish(draft, name).map_err(Error::Invalid)
}

/// Makes an inventory of the documents of a running cluster of kubeadm, which `from` names.
pub fn from_cluster(from: &str, documents: &[File], name: Option<&ClusterName>) -> Result<Migrated, Error> {
    finish::finish(kubeadm::draft(from, documents), name).map_err(Error::Invalid)
}
