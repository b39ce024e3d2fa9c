//! The documents of a cluster, by kind and name.

use crate::migrate::File;
use crate::migrate::document::{self, Node};
use crate::migrate::draft::{At, Draft};

/// Objects of the API, and configurations of components.
pub(super) struct Objects(Vec<Node>);

impl Objects {
    /// Every document of every file, lists taken apart.
    pub(super) fn read(files: &[File], draft: &mut Draft) -> Self {
        let mut objects = Vec::new();
        for file in files {
            match document::read(&file.name, &file.text) {
                Ok(documents) => documents.into_iter().for_each(|node| match node.get("items") {
                    Some(items) => objects.extend(items.items().iter().cloned()),
                    None => objects.push(node),
                }),
                Err(problem) => draft.problems.push(problem),
            }
        }
        Self(objects)
    }

    /// Objects of a kind.
    pub(super) fn of_kind<'o>(&'o self, kind: &'o str) -> impl Iterator<Item = &'o Node> {
        self.0.iter().filter(move |node| node.get("kind").and_then(Node::text) == Some(kind))
    }

    /// What is under `key` in the ConfigMap whose name begins so.
    pub(super) fn config_map(&self, name: &str, key: &str) -> Option<&Node> {
        // Up to 1.23 the name of kubelet's had the version in it.
        let fits = |found: &str| found == name || found.strip_prefix(name).is_some_and(|rest| rest.starts_with("-1."));
        let maps =
            self.of_kind("ConfigMap").filter(|map| map.at_path("metadata.name").and_then(Node::text).is_some_and(fits));
        maps.filter_map(|map| map.get("data")?.get(key)).last()
    }

    /// The configuration of a component: in its ConfigMap, under one key or the other, or as a document of its own.
    pub(super) fn configuration(&self, map: &str, kind: &str, draft: &mut Draft) -> Option<Node> {
        if let Some(node) = self.of_kind(kind).next() {
            return Some(node.clone());
        }
        let text = [kind, "config.conf", "kubelet"].iter().find_map(|key| self.config_map(map, key))?.text()?;
        match document::read(&format!("ConfigMap {map}"), text) {
            Ok(documents) => documents.into_iter().find(|node| node.get("kind").and_then(Node::text) == Some(kind)),
            Err(problem) => {
                draft.problems.push(problem);
                None
            }
        }
    }
}

/// What people call an object.
pub(super) fn place(node: &Node) -> At {
    let text = |path: &str| node.at_path(path).and_then(Node::text).unwrap_or_default();
    At::file(&format!("{} {}", text("kind"), text("metadata.name")))
}
