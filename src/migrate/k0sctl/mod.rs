//! k0sctl: one file with the hosts and, in it, the configuration of k0s.

mod config;
mod hosts;
mod table;

use super::document::{self, Node};
use super::draft::{At, Draft, Tool};
use super::{File, rest};

const TOOL: Tool = Tool { name: "k0sctl", reset: "k0sctl reset" };

/// Makes a draft of a k0sctl.yaml.
pub(super) fn draft(from: &str, file: &File) -> Draft {
    let mut draft = Draft::new(TOOL, from);
    let documents = match document::read(&file.name, &file.text) {
        Ok(documents) => documents,
        Err(problem) => {
            draft.problems.push(problem);
            return draft;
        }
    };
    let is_ours = |node: &&Node| {
        let version = node.get("apiVersion").and_then(Node::text);
        version.is_some_and(|version| version.starts_with("k0sctl.k0sproject.io/"))
    };
    let Some((cluster, spec)) =
        documents.iter().find(is_ours).and_then(|cluster| Some((cluster, cluster.get("spec")?)))
    else {
        let hint = "it begins with `apiVersion: k0sctl.k0sproject.io/v1beta1` and has a `spec`";
        draft.problem(&At::file(&file.name), "is no configuration of k0sctl", hint);
        return draft;
    };
    // What `k0sctl init` writes is nobody's name.
    let name = cluster.at_path("metadata.name").and_then(Node::text).filter(|name| *name != "k0s-cluster");
    draft.name = name.map(str::to_owned);
    let version = spec.at_path("k0s.version").and_then(Node::text);
    draft.version =
        version.map(|version| version.trim_start_matches('v').split('+').next().unwrap_or_default().to_owned());
    config::carry(spec, &mut draft);
    hosts::carry(spec, &mut draft);
    rest::leave(&mut draft, "spec", spec, table::SPEC);
    draft
}

/// Text that stands for itself: k0sctl takes variables from its environment, which are not looked up here.
fn text(node: Option<&Node>, key: &str, draft: &mut Draft) -> Option<String> {
    let node = node.filter(|node| !node.is_empty())?;
    let text = node.text()?;
    if text.contains("${") || (text.starts_with('$') && text.len() > 1) {
        draft.leave(
            key,
            &node.at,
            "a variable of k0sctl's environment, which is not looked up: set by hand what it holds",
        );
        return None;
    }
    Some(text.to_owned())
}
