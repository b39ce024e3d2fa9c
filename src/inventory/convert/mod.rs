//! What is written to what is meant: names parsed, ranges expanded, defaults filled in. A value that is wrong is reported
//! and replaced by its default, so that everything else is looked at in the same run.

mod addons;
mod bgp;
mod calico;
mod disks;
mod distribution;
mod dns;
mod endpoint;
mod files;
mod hosts;
mod login;
mod network;
mod proxy;
mod settings;
mod snapshots;
mod tuning;
mod upgrade;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cluster::{ClusterName, ImageReference, ImageTrust, Parts};

use super::named_files::NamedFile;
use super::problems::{Fault, Problems};
use super::source;
use super::spec::Document;
use super::tree::{Content, Node, Path};

/// What conversion needs, and where it reports.
pub(super) struct Context<'t> {
    /// The file, for positions.
    pub(super) root: &'t Node,
    /// Where problems go.
    pub(super) problems: &'t mut Problems,
    /// Where relative paths start.
    pub(super) base: PathBuf,
    /// What `~` stands for.
    pub(super) home: Option<PathBuf>,
    /// Files that it names.
    pub(super) files: Vec<NamedFile>,
    /// The fields that name them.
    noted: BTreeSet<Path>,
}

impl<'t> Context<'t> {
    /// Where nothing has been named yet.
    pub(super) fn new(root: &'t Node, problems: &'t mut Problems, base: PathBuf, home: Option<PathBuf>) -> Self {
        Self { root, problems, base, home, files: Vec::new(), noted: BTreeSet::new() }
    }
}

impl Context<'_> {
    /// Reports a fault of the value at `path`.
    fn fault(&mut self, path: &Path, fault: Fault) {
        let fault = without_password(fault, self.root.find(path));
        self.problems.report(self.root.nearest(path), path, named(path, fault));
    }

    /// Reports a fault of the key at `path`.
    fn key_fault(&mut self, path: &Path, fault: Fault) {
        self.problems.report(self.root.nearest_key(path), path, fault);
    }

    /// The value, or nothing and a report.
    fn take<T>(&mut self, path: &Path, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.fault(path, fault)).ok()
    }

    /// What `text` says, or `default` where it is absent or wrong.
    fn parse<T>(
        &mut self,
        path: &Path,
        text: Option<&String>,
        default: T,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> T {
        text.and_then(|text| self.take(path, parse(text))).unwrap_or(default)
    }
}

/// The fault without the password of a login that stands where it belongs not.
fn without_password(fault: Fault, node: Option<&Node>) -> Fault {
    let Some(Content::Scalar(scalar)) = node.map(|node| &node.content) else { return fault };
    let Some(password) = source::password_in(&scalar.text) else { return fault };
    let quoted = format!("{password:?}");
    let escaped = quoted.trim_matches('"');
    let hide = |text: &str| text.replace(escaped, "(secret)").replace(password, "(secret)");
    Fault::new(hide(&fault.message), hide(&fault.hint))
}

/// The fault with the name of its field.
fn named(path: &Path, fault: Fault) -> Fault {
    match path.last_key() {
        Some(key) if !fault.message.contains(&format!("`{key}`")) => {
            Fault::new(format!("`{key}`: {}", fault.message), fault.hint)
        }
        _ => fault,
    }
}

/// The parts of a cluster, and where its hosts are in the file.
pub(super) struct Converted {
    /// The parts. Where something was wrong they are not what was meant.
    pub(super) parts: Parts,
    /// The index in `spec.hosts` of each host.
    pub(super) entries: Vec<usize>,
    /// Whether every host of the file is there.
    pub(super) complete: bool,
}

/// Converts a document. Reports all that is wrong; without a usable cluster name or section of hosts there are no parts.
pub(super) fn convert(document: &Document, context: &mut Context<'_>) -> Option<Converted> {
    let spec = document.spec.as_ref()?;
    let name_path = Path::of("metadata.name");
    let name = document.metadata.as_ref().and_then(|metadata| metadata.name.as_deref());
    let name = name.and_then(|name| context.take(&name_path, cluster_name(name)));
    let image = spec.image.as_deref().and_then(|image| {
        let resolved = files::image(image, context);
        context.take(&Path::of("spec.image"), resolved)
    });
    let name = name.or_else(|| ClusterName::parse("unknown").ok())?;
    let hosts = hosts::convert(spec, context);
    let parts = Parts {
        image: ImageReference(image.unwrap_or_default()),
        image_trust: ImageTrust { keys: files::trusted_keys(spec.image_trust.as_ref(), context) },
        endpoint: endpoint::convert(spec.endpoint.as_ref(), &name, context),
        network: network::convert(spec.network.as_ref(), context),
        etcd: settings::etcd(spec.etcd.as_ref(), context),
        control_plane: settings::control_plane(spec.control_plane.as_ref(), context),
        kubelet: settings::kubelet(spec.kubelet.as_ref()),
        pki: settings::pki(spec.pki.as_ref(), context),
        upgrade: upgrade::convert(spec.upgrade.as_ref(), context),
        distribution: distribution::convert(spec.distribution.as_ref(), context),
        addons: addons::convert(spec.addons.as_ref(), context),
        hosts: hosts.hosts,
        name,
    };
    Some(Converted { parts, entries: hosts.entries, complete: hosts.complete })
}

fn cluster_name(text: &str) -> Result<ClusterName, Fault> {
    let hint = "use lower-case letters, digits and '-', such as prod-bj1";
    ClusterName::parse(text).map_err(|why| Fault::new(format!("{text:?} {why}"), hint))
}
