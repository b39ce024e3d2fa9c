//! Gets a snapshot that is named on the command line: from wherever it is, decrypted where it has to be.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{Failure, InventoryArgs, block_on};
use super::place::Location;
use super::verify;
use crate::cluster::Snapshots;
use crate::image::Hashing;
use crate::snapshot::{self, Manifest, Target, Verified};

/// Flags of every verb that reads snapshots.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SourceArgs {
    /// File with the identities of age that encrypted snapshots are read with
    #[arg(long, value_name = "FILE", env = "KUBEWRIGHT_AGE_IDENTITY")]
    pub(super) identity: Option<PathBuf>,
}

/// The inventory, for verbs that can do without one.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct KnownArgs {
    /// Inventory file, for how its buckets are set up
    #[arg(short, long, value_name = "FILE", env = "KUBEWRIGHT_INVENTORY")]
    inventory: Option<PathBuf>,
}

impl KnownArgs {
    /// How snapshots are kept by the inventory, if there is one.
    pub(super) fn load(&self) -> Result<Snapshots, Failure> {
        match &self.inventory {
            Some(inventory) => Ok(InventoryArgs { inventory: inventory.clone() }.load()?.etcd.snapshots.clone()),
            None => Ok(Snapshots::default()),
        }
    }
}

/// Which snapshot is meant.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// A place, or a file.
    pub(super) from: &'a str,
    /// Whose, where a place is given; without it of the only cluster that is there.
    pub(super) cluster: Option<&'a str>,
    /// From then or before, where a place is given.
    pub(super) at: Option<Timestamp>,
}

/// A snapshot as a local file that can be read.
#[derive(Debug)]
pub(super) struct Obtained {
    /// Where it can be read now.
    pub(super) path: PathBuf,
    /// What it was named.
    pub(super) name: String,
    /// What is written beside it.
    pub(super) manifest: Option<Manifest>,
    target: Target,
    /// Goes with this.
    _temporary: Option<tempfile::TempDir>,
}

/// Gets it; nothing is changed anywhere but in a temporary directory.
pub(super) fn obtain(wanted: &Wanted<'_>, known: &Snapshots, source: &SourceArgs) -> Result<Obtained, Failure> {
    block_on(find(wanted, known, source))?.map_err(|why| Failure::new(format!("{why}; nothing was changed")))
}

async fn find(wanted: &Wanted<'_>, known: &Snapshots, source: &SourceArgs) -> Result<Obtained, String> {
    let Location { target, file } = Location::find(wanted.from, known)?;
    let (file, manifest) = match file {
        Some(_) if wanted.at.is_some() => {
            return Err("--at chooses from a place with snapshots, and a file was given".to_owned());
        }
        Some(file) => {
            let manifest = match &target {
                Target::Directory(directory) => snapshot::manifest_beside(&directory.path().join(&file)),
                Target::Bucket(_) => target.manifest_of(&file).await.map_err(|error| error.to_string())?,
            };
            (file, manifest)
        }
        None => {
            let manifest = latest(&target, wanted).await?;
            (manifest.file(), Some(manifest))
        }
    };
    let encrypted = snapshot::is_encrypted(&file);
    let name = format!("{}/{file}", target.place());
    if let (Target::Directory(directory), false) = (&target, encrypted) {
        return Ok(Obtained { path: directory.path().join(&file), name, manifest, target, _temporary: None });
    }
    let temporary = tempfile::tempdir().map_err(|error| format!("making a temporary directory: {error}"))?;
    let path = temporary.path().join("snapshot.db");
    let stored = manifest.as_ref().map(|manifest| manifest.stored().1.to_owned());
    fetch(&target, &file, stored.as_deref(), &path, source.identity.as_deref()).await?;
    Ok(Obtained { path, name, manifest, target, _temporary: Some(temporary) })
}

async fn latest(target: &Target, wanted: &Wanted<'_>) -> Result<Manifest, String> {
    let mut kept = target.list(wanted.cluster).await.map_err(|error| error.to_string())?;
    kept.retain(|kept| {
        let manifest = &kept.manifest;
        manifest.is_good() && wanted.at.is_none_or(|at| manifest.origin.taken <= at)
    });
    let clusters: BTreeSet<_> = kept.iter().map(|kept| kept.manifest.origin.cluster.as_str()).collect();
    if clusters.len() > 1 {
        return Err(format!("{} has snapshots of several clusters; name the file", target.place()));
    }
    let until = wanted.at.map(|at| format!(" from {at} or before")).unwrap_or_default();
    let of = wanted.cluster.map(|cluster| format!(" of {cluster}")).unwrap_or_default();
    let last = kept.pop().map(|kept| kept.manifest);
    last.ok_or_else(|| format!("{} has no good snapshot{of}{until}", target.place()))
}

/// Fetches a file that has SHA-256 `stored`, and decrypts it where its name says so.
async fn fetch(
    target: &Target,
    file: &str,
    stored: Option<&str>,
    into: &Path,
    identity: Option<&Path>,
) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}/{file}: {error}", target.place());
    let raw = into.with_extension("raw");
    let mut hashing = Hashing::new(File::create_new(&raw).map_err(failed)?);
    target.fetch(file, &mut hashing).await.map_err(|error| error.to_string())?;
    hashing.flush().map_err(failed)?;
    let found = hashing.finish().1.sha256;
    if stored.is_some_and(|stored| stored != found) {
        return Err(format!("{}/{file}: its manifest is of another file: it was changed since", target.place()));
    }
    if !snapshot::is_encrypted(file) {
        return std::fs::rename(&raw, into).map_err(failed);
    }
    let identity = identity.ok_or_else(|| {
        format!("{}/{file}: it is encrypted; name the identity that can read it with --identity", target.place())
    })?;
    let mut opened = File::create_new(into).map_err(failed)?;
    snapshot::unseal(identity, File::open(&raw).map_err(failed)?, &mut opened).map_err(failed)
}

impl Obtained {
    /// What stands in it, if it is whole and what its manifest says.
    pub(super) fn verified(&self) -> Result<Verified, Failure> {
        let refuse = |why: String| Failure::new(format!("{}: {why}; nothing was changed", self.name));
        let whole = verify::look(&self.path).map_err(|damage| refuse(damage.to_string()))?;
        match &self.manifest {
            Some(manifest) if manifest.sha256 != whole.sha256 => {
                Err(refuse(format!("its manifest is of another file, whose SHA-256 is {}", manifest.sha256)))
            }
            _ => Ok(whole),
        }
    }

    /// The keys of the cluster that were saved with it, decrypted.
    pub(super) fn keys(&self, source: &SourceArgs) -> Result<Vec<u8>, Failure> {
        let refuse = |why: String| Failure::new(format!("{why}; nothing was changed"));
        let none = || refuse(format!("{}: no keys were saved with it (`include: [pki]` in the inventory)", self.name));
        let manifest = self.manifest.as_ref().ok_or_else(none)?;
        let (file, sealed) = manifest.pki_file().zip(manifest.pki.as_ref()).ok_or_else(none)?;
        let temporary = tempfile::tempdir().map_err(|error| refuse(error.to_string()))?;
        let path = temporary.path().join("pki");
        let identity = source.identity.as_deref();
        block_on(fetch(&self.target, &file, Some(&sealed.sha256), &path, identity))?.map_err(refuse)?;
        std::fs::read(path).map_err(|error| refuse(error.to_string()))
    }
}
