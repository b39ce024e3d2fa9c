//! From what hosts run now to what an image holds: what changes, and whether the way leads there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::preflight::{Finding, Severity};
use crate::cluster::{Cluster, Facts, Host, HostName, Role, Version};
use crate::image::{ClusterImage, ComponentKind, name_and_tag};
use crate::versions::skew;

/// Components whose version an upgrade is about, in the order in which they change.
const COMPONENTS: &[(&str, Role)] = &[
    ("etcd", Role::Etcd),
    ("kube-apiserver", Role::ControlPlane),
    ("kube-controller-manager", Role::ControlPlane),
    ("kube-scheduler", Role::ControlPlane),
    ("containerd", Role::Worker),
    ("runc", Role::Worker),
    ("kubelet", Role::Worker),
];

/// A component that changes, or stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Name.
    pub component: &'static str,
    /// Hosts by the version that they are set to run now.
    pub now: BTreeMap<String, Vec<HostName>>,
    /// The version in the image.
    pub after: String,
}

impl Step {
    /// Whether any host runs another version than the image has.
    pub fn changes(&self) -> bool {
        self.now.keys().any(|now| *now != self.after)
    }
}

/// What hosts run, compared with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Every component that hosts run.
    pub steps: Vec<Step>,
    /// Hosts on which nothing of a cluster runs yet.
    pub bare: Vec<HostName>,
}

/// Compares what hosts run with what `image` holds.
pub fn path(cluster: &Cluster, image: &ClusterImage, facts: &BTreeMap<HostName, Facts>) -> Path {
    let versions = |host: &Host| facts.get(&host.name).map(|facts| &facts.versions);
    let steps = COMPONENTS.iter().filter_map(|(component, role)| {
        let after = version_in(image, component)?;
        let mut now: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
        for host in cluster.hosts.iter().filter(|host| runs(host, *role)) {
            if let Some(version) = versions(host).and_then(|versions| versions.get(*component)) {
                now.entry(version.clone()).or_default().push(host.name.clone());
            }
        }
        (!now.is_empty()).then_some(Step { component, now, after })
    });
    let steps = steps.collect();
    let is_bare = |host: &&Host| versions(host).is_none_or(BTreeMap::is_empty);
    let bare = cluster.hosts.iter().filter(is_bare).map(|host| host.name.clone()).collect();
    Path { steps, bare }
}

/// Every node has what workers have.
fn runs(host: &Host, role: Role) -> bool {
    host.roles.contains(role) || (role == Role::Worker && host.roles.is_node())
}

/// The version of `component` in `image`: a component of files has it itself, a container image in its tag.
fn version_in(image: &ClusterImage, component: &str) -> Option<String> {
    if let Some(found) = image.component(component).filter(|found| found.kind == ComponentKind::Files) {
        return Some(found.version.clone());
    }
    let tagged = image.references().map(name_and_tag);
    tagged.filter(|(name, _)| *name == component).find_map(|(_, tag)| tag.map(str::to_owned))
}

impl Path {
    /// Whether some host runs another version than the image has.
    pub fn changes(&self) -> bool {
        self.steps.iter().any(Step::changes)
    }

    /// What an install of the image would change although only an upgrade may: each component with what it is now.
    pub fn upgrades(&self) -> Vec<String> {
        let text = |step: &Step| {
            let now: Vec<&str> = step.now.keys().map(String::as_str).filter(|now| *now != step.after).collect();
            format!("{} {} → {}", step.component, now.join(", "), step.after)
        };
        self.steps.iter().filter(|step| step.changes()).map(text).collect()
    }

    /// Every reason why this upgrade must not begin.
    pub fn obstacles(&self, image: &ClusterImage) -> Vec<Finding> {
        let mut found = Vec::new();
        if !self.bare.is_empty() {
            let hosts = self.bare.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
            let hint = "install them with the image that the cluster runs now, or leave them out of the inventory until \
                        the upgrade is done";
            found.push(obstacle(format!("nothing of this cluster runs on {hosts}"), hint.to_owned()));
        }
        let target = image.kubernetes;
        for (text, version) in self.versions("kube-apiserver") {
            found.extend(skew::path(version, target).err().map(other_image));
            if let Some(range) = image.upgrades_from.as_ref().filter(|range| !range.contains(version)) {
                found.push(other_image(format!(
                    "{} upgrades from {range} only, and kube-apiserver is {text}",
                    image.name
                )));
            }
        }
        for (_, kubelet) in self.versions("kubelet") {
            found.extend(skew::kubelet_window(kubelet, target).err().map(other_image));
        }
        let after = |component: &str| {
            let step = self.steps.iter().find(|step| step.component == component)?;
            step.after.parse::<Version>().ok()
        };
        if let Some(to) = after("etcd") {
            let steps = self.versions("etcd").map(|(_, from)| skew::etcd_step(from, to, target));
            found.extend(steps.filter_map(Result::err).map(other_image));
        }
        if let Some(to) = after("containerd") {
            for (_, from) in self.versions("containerd") {
                let steps =
                    self.versions("kubelet").map(|(_, kubelet)| skew::containerd_step(from, to, kubelet, target));
                found.extend(steps.filter_map(Result::err).map(other_image));
            }
        }
        found.dedup();
        found
    }

    /// What hosts run, compared with what was kept of each (versions by component): the way back.
    pub fn back(
        cluster: &Cluster,
        facts: &BTreeMap<HostName, Facts>,
        kept: &BTreeMap<HostName, BTreeMap<String, String>>,
    ) -> Self {
        let steps = COMPONENTS.iter().filter_map(|(component, role)| {
            let mut now: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
            let mut after = BTreeSet::new();
            for host in cluster.hosts.iter().filter(|host| runs(host, *role)) {
                let before = kept.get(&host.name).and_then(|versions| versions.get(*component));
                after.extend(before.cloned());
                let versions = facts.get(&host.name).map(|facts| &facts.versions);
                if let Some(version) = versions.and_then(|versions| versions.get(*component)) {
                    now.entry(version.clone()).or_default().push(host.name.clone());
                }
            }
            let after = after.into_iter().collect::<Vec<_>>().join(", ");
            (!after.is_empty()).then_some(Step { component, now, after })
        });
        Self { steps: steps.collect(), bare: Vec::new() }
    }

    /// Every reason why there is no way back any more but a restore of etcd.
    pub fn one_way(&self) -> Vec<Finding> {
        let stateful = [("etcd", skew::Stateful::Etcd), ("kube-apiserver", skew::Stateful::ApiServer)];
        let mut found = Vec::new();
        for (component, what) in stateful {
            let Some(step) = self.steps.iter().find(|step| step.component == component) else { continue };
            let Ok(old) = step.after.parse::<Version>() else { continue };
            let total: usize = step.now.values().map(Vec::len).sum();
            for (text, new) in self.versions(component).filter(|(text, _)| **text != step.after) {
                let moved = step.now.get(text).map_or(0, Vec::len);
                if let Err(error) = skew::rollback(what, new, old, moved, total) {
                    let hint =
                        "go forward with the upgrade, or restore etcd from the snapshot that the upgrade has saved";
                    found.push(obstacle(error.to_string(), hint.into()));
                }
            }
        }
        found
    }

    /// The distinct versions of `component` that hosts run now, as written and as compared.
    fn versions(&self, component: &str) -> impl Iterator<Item = (&String, Version)> {
        let step = self.steps.iter().find(move |step| step.component == component);
        step.into_iter().flat_map(|step| step.now.keys()).filter_map(|text| Some((text, text.parse().ok()?)))
    }
}

/// What another image would mend.
fn other_image(error: impl std::fmt::Display) -> Finding {
    obstacle(error.to_string(), "choose another cluster image; nothing was changed".into())
}

fn obstacle(message: String, hint: String) -> Finding {
    Finding { check: "path", severity: Severity::Error, host: None, message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;

    /// What every host of a cluster with this image runs.
    fn running(fixture: &Fixture) -> BTreeMap<HostName, Facts> {
        let mut facts = fixture.facts.clone();
        for (host, facts) in &mut facts {
            let host = fixture.cluster.host(host.as_str()).unwrap();
            let own = COMPONENTS.iter().filter(|(_, role)| runs(host, *role));
            let version = |(name, _): &(&str, Role)| Some((String::from(*name), version_in(&fixture.image, name)?));
            facts.versions = own.filter_map(version).collect();
        }
        facts
    }

    fn set(facts: &mut BTreeMap<HostName, Facts>, host: &str, component: &str, version: &str) {
        let facts = facts.get_mut(&HostName::parse(host).unwrap()).unwrap();
        facts.versions.insert(component.into(), version.into());
    }

    #[test]
    fn the_image_that_runs_is_no_upgrade() {
        let fixture = Fixture::new(36);
        let path = path(&fixture.cluster, &fixture.image, &running(&fixture));
        assert!(!path.changes() && path.bare.is_empty() && path.obstacles(&fixture.image).is_empty(), "{path:?}");
        assert_eq!(path.upgrades(), Vec::<String>::new());
    }

    #[test]
    fn another_build_is_an_upgrade_and_a_half_done_one_goes_on() {
        let fixture = Fixture::new(36);
        let mut facts = running(&fixture);
        let wanted = version_in(&fixture.image, "kubelet").unwrap();
        set(&mut facts, "n1", "kubelet", &format!("{wanted}-old"));
        let path = path(&fixture.cluster, &fixture.image, &facts);
        assert_eq!(path.upgrades(), [format!("kubelet {wanted}-old → {wanted}")]);
        assert!(path.obstacles(&fixture.image).is_empty());
    }

    #[test]
    fn every_obstacle_is_told_at_once() {
        let fixture = Fixture::new(36);
        let mut facts = running(&fixture);
        set(&mut facts, "m1", "kube-apiserver", "v1.34.1");
        set(&mut facts, "n1", "kubelet", "v1.37.0");
        set(&mut facts, "m2", "etcd", "3.7.1");
        facts.get_mut(&HostName::parse("n2").unwrap()).unwrap().versions.clear();
        let found = path(&fixture.cluster, &fixture.image, &facts).obstacles(&fixture.image);
        let text: String = found.iter().map(|finding| format!("{}\n", finding.message)).collect();
        for words in ["nothing of this cluster runs on n2", "v1.34.1 → v1.36", "kubelet v1.37.0", "etcd v3.7.1"] {
            assert!(text.contains(words), "{words} is not in:\n{text}");
        }
    }

    #[test]
    fn there_is_a_way_back_until_all_have_moved_a_minor() {
        let fixture = Fixture::new(36);
        let mut facts = running(&fixture);
        let kept: BTreeMap<HostName, BTreeMap<String, String>> = ["m1", "m2", "m3"]
            .map(|name| (HostName::parse(name).unwrap(), BTreeMap::from([("etcd".into(), "3.5.33".into())])))
            .into();
        set(&mut facts, "m1", "etcd", "3.5.33");
        assert!(Path::back(&fixture.cluster, &facts, &kept).one_way().is_empty());
        set(&mut facts, "m1", "etcd", &version_in(&fixture.image, "etcd").unwrap());
        let found = Path::back(&fixture.cluster, &facts, &kept).one_way();
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
