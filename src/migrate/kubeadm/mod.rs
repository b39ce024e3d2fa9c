//! A cluster of kubeadm, from documents of its API: the ConfigMaps that kubeadm leaves in kube-system, the nodes, and what
//! tells which network plugin there is. It does not matter whether they come from a server or from files.

mod components;
mod configuration;
mod corefile;
mod nodes;
mod objects;
mod plugin;
mod table;

use super::File;
use super::draft::{At, Draft, Tool};
use objects::Objects;

const TOOL: Tool = Tool { name: "kubeadm", reset: "kubeadm reset" };

/// Makes a draft of documents: objects of the API or lists of them, or the configuration of a component by itself.
pub(super) fn draft(from: &str, files: &[File]) -> Draft {
    let mut draft = Draft::new(TOOL, from);
    let objects = Objects::read(files, &mut draft);
    let configuration = objects.configuration("kubeadm-config", "ClusterConfiguration", &mut draft);
    if configuration.is_none() {
        let hint = "it is in ConfigMap kube-system/kubeadm-config of clusters that kubeadm has made";
        draft.problem(&At::file(from), "there is no ClusterConfiguration of kubeadm", hint);
    }
    plugin::carry(&objects, configuration.as_ref(), &mut draft);
    if let Some(configuration) = &configuration {
        configuration::carry(configuration, &mut draft);
    }
    components::carry(&objects, &mut draft);
    nodes::carry(&objects, configuration.as_ref(), &mut draft);
    if let Some(configuration) = &configuration {
        configuration::endpoint(configuration, &mut draft);
    }
    draft
}
