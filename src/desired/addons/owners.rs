//! Whose an object is: of two owners each would take it from the other in every run, and what a cluster needs itself is
//! nobody's to change or to remove with an add-on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use super::{AddonObjects, AddonPlace, Placed};
use crate::cluster::Addon;
use crate::cluster::object::{group_of, is_cluster_scoped};
use crate::desired::{Context, Error, bgp, calico, dns, objects};

/// What kubewright keeps in this namespace begins with this.
const OWN: (&str, &str) = ("kube-system", "kubewright-");
/// What the servers and kubelets make themselves: kind, namespace, name.
const OF_KUBERNETES: &[(&str, &str, &str)] = &[
    ("ConfigMap", "kube-system", "extension-apiserver-authentication"),
    ("Endpoints", "default", "kubernetes"),
    ("EndpointSlice", "default", "kubernetes"),
    ("Service", "default", "kubernetes"),
];

/// Group, kind, namespace and name: another version of a group has the same objects.
type Key = (String, String, Option<String>, String);

/// Objects that have an owner.
#[derive(Default)]
pub(super) struct Owners {
    own: BTreeMap<Key, &'static str>,
    taken: BTreeMap<Key, Box<(String, AddonPlace)>>,
}

impl Owners {
    /// What this cluster needs itself. It is rendered for that, so only where somebody may want any of it.
    pub(super) fn of(context: &Context<'_>, own_addons: &[AddonObjects]) -> Self {
        if context.cluster.addons.is_empty() {
            return Self::default();
        }
        let mut own = BTreeMap::new();
        let mut keep = |owner: &'static str, objects: Vec<Value>| {
            own.extend(objects.iter().map(|object| (key(object, None), owner)));
        };
        // What cannot be rendered is told by who renders it.
        keep("the cluster's own (RBAC and kube-proxy)", objects::basic(context).unwrap_or_default());
        keep("the cluster's own (DNS)", dns::objects(context).unwrap_or_default());
        keep("the cluster's own (Calico)", calico::objects(context).unwrap_or_default());
        if let Ok(Some(peering)) = bgp::peering(context) {
            let peers = peering.peers.into_iter().flat_map(|group| group.peers);
            keep(
                "the cluster's own (BGP of Calico)",
                peering.first.into_iter().chain([peering.configuration]).chain(peers).collect(),
            );
        }
        for addon in own_addons {
            keep("what spec.network.dns brings", addon.objects.clone());
        }
        Self { own, taken: BTreeMap::new() }
    }

    /// Gives an object to an add-on, unless it is somebody's already.
    pub(super) fn take(&mut self, addon: &Addon, object: &Placed) -> Option<Error> {
        let Placed { value, place } = object;
        let key = key(value, Some(&addon.namespace));
        let title = title(&key);
        if let Some((owner, hint)) = self.reserved(&key) {
            let (addon, place) = (addon.name.clone(), Box::new(place.clone()));
            return Some(Error::AddonReserved { addon, place, object: title, owner, hint });
        }
        let second = Box::new((addon.name.clone(), place.clone()));
        match self.taken.entry(key) {
            Entry::Vacant(free) => {
                free.insert(second);
                None
            }
            Entry::Occupied(taken) => Some(Error::AddonObject { object: title, first: taken.get().clone(), second }),
        }
    }

    /// Who has an object that no add-on may have, and what to do instead.
    fn reserved(&self, key: &Key) -> Option<(&'static str, &'static str)> {
        const REMOVE: &str = "take it out of the add-on";
        let (group, kind, namespace, name) = key;
        if (group.as_str(), kind.as_str()) == ("", "Node") {
            return Some(("the kubelet's", "labels and taints of nodes belong into the inventory"));
        }
        let whole = (kind.as_str(), namespace.as_deref().unwrap_or_default(), name.as_str());
        if OF_KUBERNETES.contains(&whole) {
            return Some(("Kubernetes' own", REMOVE));
        }
        if namespace.as_deref() == Some(OWN.0) && name.starts_with(OWN.1) {
            return Some(("kubewright's own", "give it a name that does not begin with kubewright-"));
        }
        // Some kinds live in no namespace without our knowing.
        let anywhere = (group.clone(), kind.clone(), None, name.clone());
        let owner = self.own.get(key).or_else(|| self.own.get(&anywhere))?;
        Some((owner, "take it out of the add-on; what can be set of it is in the inventory"))
    }
}

fn key(object: &Value, default_namespace: Option<&str>) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = group_of(object["apiVersion"].as_str().unwrap_or_default()).to_owned();
    let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
    let default = default_namespace.filter(|_| !is_cluster_scoped(&group, &kind));
    let namespace = metadata["namespace"].as_str().or(default).map(str::to_owned);
    (group, kind, namespace, text(&metadata["name"]))
}

fn title((_, kind, namespace, name): &Key) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}
