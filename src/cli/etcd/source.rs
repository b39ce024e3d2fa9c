//! Gets a snapshot that is named on the command line: from wherever it is, decrypted where it has to be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{Failure, InventoryArgs, block_on_interruptibly};
use super::place::Location;
use crate::cluster::Snapshots;
use crate::image::Hashing;
use crate::report;
use crate::snapshot::{self, Damage, Kept, Manifest, PassedOver, Target, Verified};

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
    /// What its place has that looks like a snapshot and is damaged, where a place was named.
    damaged: Vec<PassedOver>,
    /// The snapshot before it, where a place was named.
    before: Option<String>,
    target: Target,
    /// What was fetched has no name, so that nothing of it stays whatever happens to this program.
    _fetched: Option<File>,
}

/// Gets it; nothing is changed anywhere. What its place has besides and is damaged is told.
pub(super) fn obtain(wanted: &Wanted<'_>, known: &Snapshots, source: &SourceArgs) -> Result<Obtained, Failure> {
    let obtained = reach(wanted, known, source)?.map_err(|why| Failure::new(format!("{why}; nothing was changed")))?;
    for (location, why) in obtained.damaged() {
        report::print_error(&format!("passed over {location}: {why}"));
    }
    Ok(obtained)
}

/// The same; why it could not be had is told plainly.
pub(super) fn reach(
    wanted: &Wanted<'_>,
    known: &Snapshots,
    source: &SourceArgs,
) -> Result<Result<Obtained, String>, Failure> {
    block_on_interruptibly(find(wanted, known, source))
}

async fn find(wanted: &Wanted<'_>, known: &Snapshots, source: &SourceArgs) -> Result<Obtained, String> {
    let Location { target, file } = Location::find(wanted.from, known)?;
    let Chosen { file, manifest, before, damaged } = match file {
        Some(_) if wanted.at.is_some() => {
            return Err("--at chooses from a place with snapshots, and a file was given".to_owned());
        }
        Some(file) => {
            let manifest = target.manifest_of(&file).await.map_err(|error| error.to_string())?;
            Chosen { file, manifest, before: None, damaged: Vec::new() }
        }
        None => latest(&target, wanted).await?,
    };
    let encrypted = snapshot::is_encrypted(&file);
    let name = format!("{}/{file}", target.place());
    let (path, fetched) = match &target {
        Target::Directory(directory) if !encrypted => (directory.path().join(&file), None),
        _ => {
            let stored = manifest.as_ref().map(|manifest| manifest.stored().1.to_owned());
            let fetched = fetch(&target, &file, stored.as_deref(), source.identity.as_deref()).await?;
            (snapshot::path_of(&fetched), Some(fetched))
        }
    };
    Ok(Obtained { path, name, manifest, damaged, before, target, _fetched: fetched })
}

/// The file that is meant, and what else its place has.
struct Chosen {
    file: String,
    manifest: Option<Manifest>,
    before: Option<String>,
    damaged: Vec<PassedOver>,
}

async fn latest(target: &Target, wanted: &Wanted<'_>) -> Result<Chosen, String> {
    let found = target.look(wanted.cluster).await.map_err(|error| error.to_string())?;
    let damaged: Vec<_> = found.passed_over.into_iter().filter(|one| one.damaged).collect();
    let mut kept = candidates(found.kept, Timestamp::now(), wanted.at);
    if let Some(why) = several(&kept) {
        return Err(format!("{} has {why}; name the file", target.place()));
    }
    let Some(last) = kept.pop().map(|kept| kept.manifest) else {
        let until = wanted.at.map(|at| format!(" from {at} or before")).unwrap_or_default();
        let of = wanted.cluster.map(|cluster| format!(" of {cluster}")).unwrap_or_default();
        let besides: String = damaged.iter().map(|one| format!("; {}: {}", one.file, one.why)).collect();
        let place = target.place();
        let next = format!("`kubewright etcd snapshot list {place}` shows what it has");
        return Err(format!("{place} has no good snapshot{of}{until}{besides}; {next}"));
    };
    let before = kept.pop().map(|kept| kept.location);
    Ok(Chosen { file: last.file(), manifest: Some(last), before, damaged })
}

/// Those that may be the latest one. Before there was a namespace there was nothing to restore: such a one never counts
/// beside one that has something.
fn candidates(mut kept: Vec<Kept>, now: Timestamp, at: Option<Timestamp>) -> Vec<Kept> {
    kept.retain(|kept| kept.counts(now, at));
    if kept.iter().any(|kept| kept.manifest.kubernetes_uid.is_some()) {
        kept.retain(|kept| kept.manifest.kubernetes_uid.is_some());
    }
    kept
}

/// What speaks against there being one latest one: clusters, and installations of one, whose data have nothing to do
/// with each other. Each is told with its last snapshot.
fn several(kept: &[Kept]) -> Option<String> {
    let (mut clusters, mut installations) = (BTreeMap::new(), BTreeMap::new());
    for Kept { manifest, .. } in kept {
        clusters.insert(&manifest.origin.cluster, manifest.file());
        // One that was taken before there was a namespace tells nothing of its installation.
        installations.extend(manifest.kubernetes_uid.as_ref().map(|uid| (uid, manifest.file())));
    }
    let (what, last): (_, Vec<String>) = match (clusters.len(), installations.len()) {
        (0 | 1, 0 | 1) => return None,
        (0 | 1, _) => ("snapshots of several installations of one cluster", installations.into_values().collect()),
        _ => ("snapshots of several clusters", clusters.into_values().collect()),
    };
    Some(format!("{what}, the last ones {}", last.join(" and ")))
}

/// Fetches a file that has SHA-256 `stored`, and decrypts it where its name says so.
async fn fetch(target: &Target, file: &str, stored: Option<&str>, identity: Option<&Path>) -> Result<File, String> {
    let failed = |error: io::Error| format!("{}/{file}: {error}", target.place());
    let scratch = snapshot::scratch();
    let temporary = || {
        tempfile::tempfile_in(&scratch)
            .map_err(|error| format!("making a file in {} (TMPDIR names another place): {error}", scratch.display()))
    };
    let mut hashing = Hashing::new(temporary()?);
    let fetched = target.fetch(file, &mut hashing).await;
    fetched
        .map_err(|error| format!("{error} (it is fetched into {}; TMPDIR names another place)", scratch.display()))?;
    let (mut raw, blob) = hashing.finish();
    if stored.is_some_and(|stored| stored != blob.sha256) {
        return Err(format!("{}/{file}: its manifest is of another file: it was changed since", target.place()));
    }
    if !snapshot::is_encrypted(file) {
        return Ok(raw);
    }
    let identity = identity.ok_or_else(|| {
        format!("{}/{file}: it is encrypted; name the identity that can read it with --identity", target.place())
    })?;
    let mut opened = temporary()?;
    raw.rewind().map_err(failed)?;
    snapshot::unseal(identity, raw, &mut opened).map_err(failed)?;
    Ok(opened)
}

impl Obtained {
    /// What its place has besides and is damaged, with the reasons.
    pub(super) fn damaged(&self) -> impl Iterator<Item = (String, &str)> {
        self.damaged.iter().map(|one| (format!("{}/{}", self.target.place(), one.file), one.why.as_str()))
    }

    /// What stands in it, if it is whole and what its manifest says.
    pub(super) fn look(&self) -> Result<Verified, String> {
        let whole = look(&self.path).map_err(|damage| damage.to_string())?;
        fits(self.manifest.as_ref(), &whole)?;
        Ok(whole)
    }

    /// The same, for verbs that go on with it: another one is never taken in its place unasked.
    pub(super) fn verified(&self) -> Result<Verified, Failure> {
        let next = || match &self.before {
            Some(before) => format!("the one before it is {before}"),
            None => format!("`kubewright etcd snapshot list {}` shows what else there is", self.target.place()),
        };
        self.look().map_err(|why| Failure::new(format!("{}: {why}; nothing was changed; {}", self.name, next())))
    }

    /// The keys of the cluster that were saved with it, decrypted.
    pub(super) fn keys(&self, source: &SourceArgs) -> Result<Vec<u8>, Failure> {
        let refuse = |why: String| Failure::new(format!("{why}; nothing was changed"));
        let none = || refuse(format!("{}: no keys were saved with it (`include: [pki]` in the inventory)", self.name));
        let manifest = self.manifest.as_ref().ok_or_else(none)?;
        let (file, sealed) = manifest.pki_file().zip(manifest.pki.as_ref()).ok_or_else(none)?;
        let identity = source.identity.as_deref();
        let mut fetched =
            block_on_interruptibly(fetch(&self.target, &file, Some(&sealed.sha256), identity))?.map_err(refuse)?;
        let mut keys = Vec::new();
        let read = fetched.rewind().and_then(|()| fetched.read_to_end(&mut keys));
        read.map(|_| keys).map_err(|error| refuse(error.to_string()))
    }
}

/// Whether a snapshot is the one that its manifest is of, where it has one.
pub(super) fn fits(manifest: Option<&Manifest>, whole: &Verified) -> Result<(), String> {
    match manifest.filter(|manifest| manifest.sha256 != whole.sha256) {
        Some(manifest) => Err(format!("its manifest is of another file, whose SHA-256 is {}", manifest.sha256)),
        None => Ok(()),
    }
}

/// What stands in a snapshot that is whole.
pub(super) fn look(file: &Path) -> Result<Verified, Damage> {
    // Not a pipe, which would not be opened before somebody writes.
    let meta = std::fs::metadata(file)?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file").into());
    }
    snapshot::verify(&File::open(file)?, meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::testing::manifest;

    #[test]
    fn the_first_moments_of_a_new_cluster_are_not_the_latest_of_the_one_that_was_lost() {
        let kept = |taken: &str, uid: Option<&str>| {
            let mut manifest = manifest(taken);
            manifest.kubernetes_uid = uid.map(str::to_owned);
            Kept { location: taken.to_owned(), manifest }
        };
        let (old, new) = ("2026-11-29T06:00:00Z", "2026-11-29T06:30:00Z");
        let last = |kept: Vec<Kept>| {
            let now = "2026-11-29T07:00:00Z".parse().unwrap();
            candidates(kept, now, None).pop().map(|kept| kept.location)
        };
        assert_eq!(last(vec![kept(old, Some("a")), kept(new, None)]).as_deref(), Some(old));
        assert_eq!(last(vec![kept(old, Some("a")), kept(new, Some("a"))]).as_deref(), Some(new));
        assert_eq!(last(vec![kept(new, None)]).as_deref(), Some(new));
    }

    #[test]
    fn what_has_nothing_to_do_with_each_other_has_no_latest_one() {
        let told = |of: &[(&str, Option<&str>)]| {
            let kept = |(cluster, uid): &(&str, Option<&str>)| {
                let mut manifest = manifest("2026-11-29T06:00:00Z");
                manifest.origin.cluster = (*cluster).to_owned();
                manifest.kubernetes_uid = uid.map(str::to_owned);
                Kept { location: String::new(), manifest }
            };
            several(&of.iter().map(kept).collect::<Vec<_>>())
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("prod", None), ("prod", Some("a")), ("prod", Some("a"))]), None);
        assert!(told(&[("prod", Some("a")), ("prod", Some("b"))]).unwrap().contains("several installations"));
        // Whatever is known of their namespaces.
        for uids in [[None, None], [Some("a"), None], [Some("a"), Some("b")]] {
            let why = told(&[("prod", uids[0]), ("test", uids[1])]).unwrap();
            assert!(why.contains("several clusters") && why.contains("prod-") && why.contains("test-"), "{why}");
        }
    }
}
