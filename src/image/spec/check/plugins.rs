//! A network plugin or a DNS that lacks one of its container images would be found missing on a living cluster: a spec
//! has all of it, or none.

use crate::cluster::Version;
use crate::image::spec::SpecFile;

/// Calico in one image for most of its programs.
const ONE_IMAGE: (u32, u32) = (3, 33);

/// What is missing of the plugins that `spec` has.
pub(super) fn plugin_problems(spec: &SpecFile) -> Vec<String> {
    let component = |name: &str| spec.components.iter().find(|component| component.name == name);
    let names = |component: &crate::image::spec::ComponentSpec| -> Vec<String> {
        let references = component.images.iter().map(|image| image.name(&component.version));
        references.filter_map(|name| Some(name.rsplit('/').next()?.split([':', '@']).next()?.to_owned())).collect()
    };
    let mut problems = Vec::new();
    if let Some(calico) = component("calico") {
        let version = calico.version.trim_start_matches('v').parse::<Version>().ok();
        let is_one = version.is_some_and(|version| (version.major, version.minor) >= ONE_IMAGE);
        let needed: &[&str] = match is_one {
            true => &["node", "calico", "third-party-cni-plugins"],
            false => &["node", "cni", "kube-controllers"],
        };
        let there = names(calico);
        for name in needed.iter().filter(|name| !there.iter().any(|there| there == *name)) {
            problems.push(format!("components (calico): it has no container image called {name}"));
        }
        if component("calico-crds").is_none_or(|crds| crds.manifests.is_empty()) {
            let what = "there is no component calico-crds whose manifests define its kinds";
            problems.push(format!("components (calico): {what}"));
        }
    }
    if component("coredns").is_some_and(|coredns| !names(coredns).iter().any(|name| name == "coredns")) {
        problems.push("components (coredns): it has no container image called coredns".to_owned());
    }
    problems
}
