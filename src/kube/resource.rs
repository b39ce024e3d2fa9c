//! A kind as the server serves it: its path, and whether it lives in namespaces.

use std::collections::HashMap;
use std::sync::Mutex;

use super::object::ObjectId;

/// Lists of resources by `group/version`, as far as they were asked for.
pub(super) type Discovered = Mutex<HashMap<String, Vec<Resource>>>;

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Cluster,
    Namespaced,
}

/// How a kind is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) scope: Scope,
}

impl Resource {
    /// Path of the objects in `namespace`, or of all of them.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = group_version_path(&self.api_version);
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{}/{}", segment(namespace), self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }

    pub(super) fn serves(&self, id: &ObjectId) -> bool {
        self.api_version == id.api_version && self.kind == id.kind
    }
}

pub(super) fn group_version_path(api_version: &str) -> String {
    if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") }
}

/// A name as a segment of a path: whatever it is, it leads to no other place.
pub(super) fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_no_other_place() {
        for (name, expected) in [
            ("system:a-b.c", "system:a-b.c"),
            ("../nodes?x=1#y", "..%2Fnodes%3Fx%3D1%23y"),
            ("a b%2Fü", "a%20b%252F%C3%BC"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }
}
