//! One of the places that keep snapshots, whatever it is. A snapshot counts once its manifest is there, which comes last
//! and goes first.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::super::manifest::Manifest;
use super::super::retention::Taken;
use super::TargetError;
use super::bucket::Bucket;
use super::directory::{Directory, manifest_beside};
use super::found::Found;
use super::spool::Ready;
use crate::cluster::{Keep, SnapshotPlace};
use crate::image::Hashing;

/// A place that keeps snapshots, of one cluster or of many.
#[derive(Debug, Clone)]
pub enum Target {
    /// A local directory.
    Directory(Directory),
    /// A bucket of an object store.
    Bucket(Arc<Bucket>),
}

/// A snapshot that is kept somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Where its file is.
    pub location: String,
    /// What is written beside it.
    pub manifest: Manifest,
}

/// What goes to every place: the snapshot, and the keys of the cluster where they are saved with it.
#[derive(Debug)]
pub struct Delivery {
    /// What is written beside it.
    pub manifest: Manifest,
    /// The file, as it is kept.
    pub snapshot: Ready,
    /// The keys, encrypted.
    pub pki: Option<Ready>,
}

impl Kept {
    /// Whether it is one to go for, of those that were taken at `at` or before.
    pub fn counts(&self, now: Timestamp, at: Option<Timestamp>) -> bool {
        // By whole seconds: a list and the names of files have no more, and what they say must find the same one.
        let taken = self.manifest.origin.taken.as_second();
        self.manifest.counts(now) && at.is_none_or(|at| taken <= at.as_second())
    }
}

impl Target {
    /// The place that `place` names. Whether it can be used is not looked at, but its credentials are read.
    pub fn open(place: &SnapshotPlace) -> Result<Self, TargetError> {
        Ok(match place {
            SnapshotPlace::Directory(path) => Self::Directory(Directory::new(path)),
            SnapshotPlace::Bucket(bucket) => Self::Bucket(Arc::new(Bucket::open(bucket)?)),
        })
    }

    /// Where it is.
    pub fn place(&self) -> String {
        match self {
            Self::Directory(directory) => directory.path().display().to_string(),
            Self::Bucket(bucket) => bucket.place(),
        }
    }

    /// Whether it looks as if it could be written to, before anything is sent anywhere.
    pub fn usable(&self) -> Result<(), TargetError> {
        match self {
            Self::Directory(directory) => directory.usable(),
            Self::Bucket(_) => Ok(()),
        }
    }

    fn kept(&self, manifest: Manifest) -> Kept {
        Kept { location: format!("{}/{}", self.place(), manifest.file()), manifest }
    }

    /// Puts a snapshot there; it counts after this.
    pub async fn put(&self, delivery: &Arc<Delivery>) -> Result<Kept, TargetError> {
        let manifest = &delivery.manifest;
        match self {
            Self::Directory(directory) => {
                let (directory, delivery) = (directory.clone(), delivery.clone());
                blocking(move || {
                    let manifest = &delivery.manifest;
                    let cluster = manifest.origin.cluster.as_str();
                    directory.put(cluster, &manifest.file(), &delivery.snapshot)?;
                    if let (Some(file), Some(pki)) = (manifest.pki_file(), &delivery.pki) {
                        directory.put(cluster, &file, pki)?;
                    }
                    directory.note(manifest)
                })
                .await?;
            }
            Self::Bucket(bucket) => {
                bucket.put(&manifest.file(), &delivery.snapshot).await?;
                if let (Some(file), Some(pki)) = (manifest.pki_file(), &delivery.pki) {
                    bucket.put(&file, pki).await?;
                }
                bucket.write(&manifest.name(), manifest.text()).await?;
            }
        }
        Ok(self.kept(manifest.clone()))
    }

    /// The snapshots of `cluster` there, or of all clusters, oldest first. What is not recognised as ours is passed over.
    pub async fn list(&self, cluster: Option<&str>) -> Result<Vec<Kept>, TargetError> {
        Ok(self.look(cluster).await?.kept)
    }

    /// The same, with what is passed over.
    pub async fn look(&self, cluster: Option<&str>) -> Result<Found<Kept>, TargetError> {
        let Found { kept, passed_over } = match self {
            Self::Directory(directory) => {
                let (directory, cluster) = (directory.clone(), cluster.map(str::to_owned));
                blocking(move || directory.list(cluster.as_deref())).await?
            }
            Self::Bucket(bucket) => bucket.list(cluster).await?,
        };
        Ok(Found { kept: kept.into_iter().map(|manifest| self.kept(manifest)).collect(), passed_over })
    }

    /// Removes the snapshots of `cluster` that `keep` does not ask for; the ones removed.
    pub async fn prune(&self, cluster: &str, keep: &Keep) -> Result<Vec<Kept>, TargetError> {
        self.thin(self.list(Some(cluster)).await?, keep).await
    }

    /// The same of `kept`, which are all that are there of one cluster.
    pub async fn thin(&self, kept: Vec<Kept>, keep: &Keep) -> Result<Vec<Kept>, TargetError> {
        let pruned = surplus(kept, keep, Timestamp::now());
        for file in pruned.iter().flat_map(|old| old.manifest.files()) {
            match self {
                Self::Directory(directory) => directory.remove(&file)?,
                Self::Bucket(bucket) => bucket.remove(&file).await?,
            }
        }
        Ok(pruned)
    }

    /// Proves that a snapshot is still what was written, by reading it.
    pub async fn check(&self, kept: &Kept) -> Result<(), TargetError> {
        let mut hashing = Hashing::new(io::sink());
        self.fetch(&kept.manifest.file(), &mut hashing).await?;
        match hashing.finish().1.sha256 == kept.manifest.stored().1 {
            true => Ok(()),
            false => Err(TargetError::Changed { what: kept.location.clone() }),
        }
    }

    /// The latest good snapshot of `cluster`, at or before `at`.
    pub async fn latest(&self, cluster: &str, at: Option<Timestamp>) -> Result<Option<Kept>, TargetError> {
        let now = Timestamp::now();
        Ok(self.list(Some(cluster)).await?.into_iter().rfind(|kept| kept.counts(now, at)))
    }

    /// The manifest of the snapshot whose file is called `file`, if it has one.
    pub async fn manifest_of(&self, file: &str) -> Result<Option<Manifest>, TargetError> {
        match self {
            Self::Directory(directory) => Ok(manifest_beside(&directory.path().join(file))),
            Self::Bucket(bucket) => bucket.manifest_of(file).await,
        }
    }

    /// Writes the file called `name` to `into`.
    pub async fn fetch(&self, name: &str, into: &mut (dyn Write + Send)) -> Result<(), TargetError> {
        match self {
            Self::Directory(directory) => directory.fetch(name, into),
            Self::Bucket(bucket) => bucket.fetch(name, into).await,
        }
    }
}

/// Those that `keep` does not ask for. A cluster that was lost and installed anew has the same name and other data:
/// each installation keeps what it asks for, so that the new one never pushes out what the old one can be restored from.
/// Those that were taken before there was a namespace are nobody's: they may be the new one's.
fn surplus(kept: Vec<Kept>, keep: &Keep, now: Timestamp) -> Vec<Kept> {
    let mut installations: BTreeMap<Option<String>, Vec<Kept>> = BTreeMap::new();
    for one in kept {
        installations.entry(one.manifest.kubernetes_uid.clone()).or_default().push(one);
    }
    let taken = |kept: &Kept| Taken { at: kept.manifest.origin.taken, verified: kept.manifest.counts(now) };
    let of_one = |kept: Vec<Kept>| {
        let surplus = keep.surplus(&kept.iter().map(taken).collect::<Vec<_>>());
        kept.into_iter().enumerate().filter(move |(index, _)| surplus.contains(index)).map(|(_, old)| old)
    };
    installations.into_values().flat_map(of_one).collect()
}

/// Disks block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TargetError> + Send + 'static,
) -> Result<T, TargetError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|panic| Err(TargetError::Thread(panic.to_string())))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::manifest;
    use super::*;

    fn kept(minute: u8, uid: Option<&str>) -> Kept {
        let mut manifest = manifest(&format!("2026-11-29T06:{minute:02}:00Z"));
        manifest.kubernetes_uid = uid.map(str::to_owned);
        Kept { location: minute.to_string(), manifest }
    }

    #[test]
    fn the_time_that_a_list_shows_finds_its_snapshot() {
        let mut kept = kept(1, Some("a"));
        kept.manifest.origin.taken = "2026-11-29T06:01:00.709Z".parse().unwrap();
        let counts = |at: &str| kept.counts("2026-11-29T07:00:00Z".parse().unwrap(), Some(at.parse().unwrap()));
        assert!(counts("2026-11-29T06:01:00Z") && !counts("2026-11-29T06:00:59Z"));
    }

    fn goes(kept: Vec<Kept>, now: &str) -> Vec<String> {
        let gone = surplus(kept, &Keep { last: 1, ..Keep::default() }, now.parse().unwrap());
        gone.into_iter().map(|kept| kept.location).collect()
    }

    #[test]
    fn each_installation_keeps_its_own_and_the_future_counts_for_nothing() {
        let now = "2026-11-29T07:00:00Z";
        assert_eq!(goes(vec![kept(1, Some("a")), kept(2, Some("a"))], now), ["1"]);
        assert!(goes(vec![kept(1, Some("a")), kept(2, Some("b"))], now).is_empty());
        // Before there was a namespace: perhaps of another cluster, which was installed when the first one was lost.
        assert_eq!(goes(vec![kept(1, Some("a")), kept(2, None), kept(3, None)], now), ["2"]);
        assert!(goes(vec![kept(1, None), kept(2, Some("a")), kept(3, Some("b"))], now).is_empty());
        assert!(goes(vec![kept(1, Some("a")), kept(30, Some("a"))], "2026-11-29T06:10:00Z").is_empty());
    }
}
