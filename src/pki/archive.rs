//! All that cannot be made anew of a cluster's keys, as one document: it is encrypted before it goes anywhere.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyFile, KeyOwner, table};

const KIND: &str = "kubewright keys";

/// The keys of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Archive {
    /// Its name.
    pub cluster: String,
    /// As the local state directory has them.
    pub files: BTreeMap<String, KeyFile>,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({}, secret)", self.cluster)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kind: String,
    cluster: String,
    files: BTreeMap<String, String>,
}

impl Archive {
    /// The keys that are never made anew: CAs and the service account key. `cache` is what the local state directory has.
    pub fn of(cluster: &str, cache: &BTreeMap<String, String>) -> Result<Zeroizing<Vec<u8>>, String> {
        let kept = names();
        let missing: Vec<_> = kept.iter().filter(|name| !cache.contains_key(*name)).cloned().collect();
        if !missing.is_empty() {
            return Err(format!(
                "the keys of {cluster} are not all on this machine: {} is missing",
                missing.join(", ")
            ));
        }
        let files =
            cache.iter().filter(|(name, _)| kept.contains(*name)).map(|(name, text)| (name.clone(), text.clone()));
        let document = Document { kind: KIND.to_owned(), cluster: cluster.to_owned(), files: files.collect() };
        serde_json::to_vec(&document).map(Zeroizing::new).map_err(|error| error.to_string())
    }

    /// Reads a document. Its own words are not in the error: they are keys.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(text).map_err(|_| "what was saved are no keys".to_owned())?;
        if document.kind != KIND {
            return Err("what was saved are no keys".to_owned());
        }
        let kept = names();
        if let Some(other) = document.files.keys().find(|name| !kept.contains(*name)) {
            return Err(format!("{other:?} is no key of a cluster"));
        }
        let file = |(name, content): (String, String)| {
            (name.clone(), KeyFile { path: name, content, secret: true, owner: KeyOwner::Root })
        };
        Ok(Self { cluster: document.cluster, files: document.files.into_iter().map(file).collect() })
    }
}

/// The files of the local state directory that hold what is never made anew.
fn names() -> Vec<String> {
    table::cache_names().filter(|(_, guarded)| *guarded).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_read_as_it_was_made_and_holds_no_more() {
        let mut cache: BTreeMap<String, String> =
            names().into_iter().map(|name| (name.clone(), format!("key {name}"))).collect();
        cache.insert("admin.conf".into(), "not this".into());
        let text = Archive::of("prod", &cache).unwrap();
        let archive = Archive::parse(&text).unwrap();
        assert_eq!(archive.cluster, "prod");
        assert_eq!(archive.files.len(), names().len());
        assert!(archive.files.values().all(|file| file.content.starts_with("key ")));
        let lacking = cache.keys().next_back().cloned().unwrap();
        cache.remove(&lacking);
        assert!(Archive::of("prod", &cache).unwrap_err().contains(&lacking));
        for bad in [
            r#"{"kind":"x","cluster":"a","files":{}}"#,
            "secret",
            r#"{"kind":"kubewright keys","cluster":"a","files":{"../x":"secret"}}"#,
        ] {
            let error = Archive::parse(bad.as_bytes()).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
