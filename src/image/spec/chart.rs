//! Helm charts as they are written in a spec, and what is wrong with them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Source;
use super::check::source_problems;
use crate::image::Architecture;

/// A Helm chart. `helm` of the machine that builds makes manifests of it; nothing of Helm is in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// The chart, as an archive (.tgz) or a directory, with the charts that it needs in it.
    pub chart: Source,
    /// Files with values, the later ones before the earlier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Source>,
    /// Name of the release: part of what the objects are called.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
}

impl Chart {
    /// Every source that it names.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        [&self.chart].into_iter().chain(&self.values)
    }

    pub(super) fn problems(&self, version: &str, architectures: &BTreeSet<Architecture>) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, name) in [("release", &self.release), ("namespace", &self.namespace)] {
            if !is_label(name) {
                problems.push(format!("{key}: {name:?} may only have a-z, 0-9 and '-', up to 53 of them"));
            }
        }
        for source in self.sources() {
            problems.extend(source_problems(source, version, architectures));
            if source.to.is_some() || source.mode.is_some() {
                problems.push("to, mode: a chart and its values are read, and go nowhere".to_owned());
            }
        }
        problems
    }
}

/// Helm takes no longer names of releases.
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= 53
        && ends.into_iter().all(|end| end.is_some_and(inner))
        && text.bytes().all(|byte| inner(byte) || byte == b'-')
}
