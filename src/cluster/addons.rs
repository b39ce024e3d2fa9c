//! Add-ons: objects of Kubernetes that are kept in the cluster beside what it needs itself.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The add-on of our own that is a cache for the DNS on each node.
pub const NODE_LOCAL_DNS: &str = "node-local-dns";

/// The add-on of our own that says how many servers of the DNS there are.
pub const DNS_AUTOSCALER: &str = "dns-autoscaler";

/// An add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addon {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where its objects are.
    pub source: AddonSource,
    /// Whether they are templates.
    pub text: AddonText,
    /// Where objects without a namespace go.
    pub namespace: String,
    /// Add-ons that run before it is applied.
    pub after: BTreeSet<String>,
}

/// Where the objects of an add-on are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddonSource {
    /// In a file on this machine, or in all files of a directory.
    Path(PathBuf),
    /// In the component of the cluster image that is called like it.
    Image,
}

/// What the text of an add-on is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddonText {
    /// YAML.
    Plain,
    /// A template of YAML, filled with what is known of the cluster.
    Template,
}

/// The add-ons in groups: each comes when all of those before have run. Those that wait for each other in a circle are
/// left out.
pub fn in_order(addons: &[Addon]) -> Vec<Vec<&Addon>> {
    let mut groups: Vec<Vec<&Addon>> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<&Addon> = addons.iter().collect();
    loop {
        let (ready, later): (Vec<&Addon>, Vec<&Addon>) =
            left.into_iter().partition(|addon| addon.after.iter().all(|name| done.contains(name.as_str())));
        if ready.is_empty() {
            return groups;
        }
        done.extend(ready.iter().map(|addon| addon.name.as_str()));
        groups.push(ready);
        left = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_those_that_it_needs() {
        let addon = |name: &str, after: &[&str]| Addon {
            name: name.into(),
            source: AddonSource::Image,
            text: AddonText::Plain,
            namespace: "default".into(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
        };
        let addons =
            [addon("c", &["a", "b"]), addon("a", &[]), addon("b", &["a"]), addon("d", &[]), addon("x", &["x"])];
        let names: Vec<Vec<&str>> =
            in_order(&addons).iter().map(|group| group.iter().map(|addon| addon.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["a", "d"], vec!["b"], vec!["c"]]);
    }
}
