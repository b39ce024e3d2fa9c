//! What a place has, decided over the names and sizes of its files and the manifests among them: snapshots, and what looks
//! like one and is none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::manifest::{Manifest, is_snapshot, manifest_name};

/// What is kept at a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found<Snapshot> {
    /// The snapshots, oldest first.
    pub kept: Vec<Snapshot>,
    /// Files that look like ours and do not count.
    pub passed_over: Vec<PassedOver>,
}

/// A file that looks like a snapshot, or like what is written beside one, and does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// Its name.
    pub file: String,
    /// Why it does not count.
    pub why: String,
    /// Whether it was a snapshot once.
    pub damaged: bool,
}

/// Sorts what is there: the manifests of `read` by their names, and `sizes` of all files, which were looked at later: a
/// manifest comes after its snapshot and goes before it, so that one that is written or removed meanwhile is not taken for
/// a lost one. A document that is none of ours and has no snapshot beside it is somebody else's, and not told of.
pub(super) fn sort(
    sizes: &BTreeMap<String, u64>,
    read: BTreeMap<String, Option<Manifest>>,
    cluster: Option<&str>,
) -> Found<Manifest> {
    let (mut kept, mut passed_over) = (BTreeMap::new(), Vec::new());
    let mut lost = |file: &str, why: String| passed_over.push(PassedOver { file: file.to_owned(), why, damaged: true });
    let of_snapshots: BTreeSet<String> =
        sizes.keys().filter(|file| is_snapshot(file)).map(|file| manifest_name(file)).collect();
    let is_of = |name: &str| cluster.is_none_or(|cluster| name.starts_with(&format!("{cluster}-")));
    for (name, manifest) in read.into_iter().filter(|(name, _)| sizes.contains_key(name)) {
        let Some(manifest) = manifest else {
            if of_snapshots.contains(&name) && is_of(&name) {
                lost(&name, "it is no manifest that can be read".to_owned());
            }
            continue;
        };
        if cluster.is_some_and(|cluster| manifest.origin.cluster != cluster) {
            continue;
        }
        let (file, written) = (manifest.file(), manifest.stored().0);
        match sizes.get(&file) {
            _ if manifest.name() != name => lost(&name, format!("it was renamed: it is the manifest of {file}")),
            None => lost(&file, "its manifest is there, and the file is not".to_owned()),
            Some(size) if *size != written => {
                lost(
                    &file,
                    format!("it has {size} bytes, and {written} were written: it is cut short, or another file"),
                );
            }
            Some(_) => drop(kept.insert((manifest.origin.taken, name), manifest)),
        }
    }
    let alone = |file: &&String| is_snapshot(file) && is_of(file) && !sizes.contains_key(&manifest_name(file));
    passed_over.extend(sizes.keys().filter(alone).map(|file| PassedOver {
        file: file.clone(),
        why: "it has no manifest: it is none of ours, or a run ended while it wrote".to_owned(),
        damaged: false,
    }));
    Found { kept: kept.into_values().collect(), passed_over }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::manifest;
    use super::*;

    #[test]
    fn what_looks_like_a_snapshot_and_is_none_is_told_with_the_reason() {
        let [good, cut, gone, renamed] = [1, 2, 3, 4].map(|minute| manifest(&format!("2026-11-29T06:0{minute}:00Z")));
        let mut sizes: BTreeMap<String, u64> =
            [&good, &cut, &renamed].iter().flat_map(|of| [(of.file(), of.bytes), (of.name(), 9)]).collect();
        sizes.insert(cut.file(), 1);
        sizes.insert(gone.name(), 9);
        for other in
            ["old.json", "foreign.db", "prod-bad.db", "prod-bad.json", "notes.json", "other-x.db.age", "README"]
        {
            sizes.insert(other.to_owned(), 9);
        }
        let read = || {
            let known = [&good, &cut, &gone].map(|of| (of.name(), Some(of.clone())));
            let others = [("old.json", Some(renamed.clone())), ("prod-bad.json", None), ("notes.json", None)];
            known.into_iter().chain(others.map(|(name, of)| (name.to_owned(), of))).collect()
        };
        let found = sort(&sizes, read(), None);
        assert_eq!(found.kept, std::slice::from_ref(&good));
        let told: Vec<_> = found.passed_over.iter().map(|one| (one.file.as_str(), one.damaged)).collect();
        assert_eq!(
            told,
            [
                ("old.json", true),
                (cut.file().as_str(), true),
                (gone.file().as_str(), true),
                ("prod-bad.json", true),
                ("foreign.db", false),
                ("other-x.db.age", false)
            ]
        );
        // One that was removed after its manifest had been read.
        sizes.remove(&gone.name());
        let passed_over = sort(&sizes, read(), None).passed_over;
        assert!(passed_over.len() == 5 && passed_over.iter().all(|one| one.file != gone.file()));
        let of_one = sort(&sizes, read(), Some("prod"));
        assert!(of_one.passed_over.iter().all(|one| !["foreign.db", "other-x.db.age"].contains(&one.file.as_str())));
        let of_other = sort(&sizes, read(), Some("other"));
        assert_eq!((of_other.kept, of_other.passed_over.len()), (Vec::new(), 1));
    }
}
