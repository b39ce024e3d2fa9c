//! Calico as objects of the API, with the Kubernetes API as its datastore. Its CRDs come from the cluster image.

mod access;
mod controllers;
mod felix;
mod images;
mod mtu;
mod node;
mod pools;
#[cfg(test)]
mod tests;
mod typha;

use serde_json::{Value, json};

use self::images::Images;
use super::{AddonPlace, Context, Error, endpoint};
use crate::cluster::{Calico, Cluster, Transport, Version};
use crate::image::{TextFault, text_objects};
use crate::versions::{calico as table, groups};

const NAMESPACE: &str = "kube-system";
/// API of Calico's own objects, as the Kubernetes API stores them.
const API: &str = "crd.projectcalico.org/v1";
const COMPONENT: &str = "calico";
/// The component of the cluster image that has its CRDs.
pub const KINDS: &str = "calico-crds";

/// Calico in one cluster, and all that its pods follow from.
struct Setup<'a> {
    cluster: &'a Cluster,
    calico: &'a Calico,
    version: Version,
    images: Images<'a>,
    /// MTU of pods and of whatever wraps their packets; 0 where Calico is to find out.
    mtu: u32,
    /// How many Typhas there are.
    typhas: u32,
    /// API version of PodDisruptionBudgets.
    budget: &'static str,
}

impl Setup<'_> {
    fn is_ipv6(&self) -> bool {
        self.cluster.network.pod_cidr.addr().is_ipv6()
    }
}

/// The objects, in the order in which they are applied: rights and settings before the pods that look for them. None
/// where Calico is not the plugin.
pub(super) fn objects(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let cluster = context.cluster;
    let Some(calico) = cluster.network.calico() else { return Ok(Vec::new()) };
    let version = context.component_version(COMPONENT, "spec.network.plugin")?;
    table::pairing(version, context.version())?;
    let typhas = calico.typha.replicas(cluster.hosts.iter().filter(|host| host.roles.is_node()).count());
    let answers = (
        Images::of(context, version, typhas > 0),
        felix::object(calico, version),
        mtu::of(context, calico),
        transport(cluster, calico, version),
    );
    let (images, felix, mtu) = match answers {
        (Ok(images), Ok(felix), Ok(mtu), Ok(())) => (images, felix, mtu),
        (images, felix, mtu, transport) => {
            let errors = [images.err(), felix.err(), mtu.err(), transport.err()];
            return Err(Error::Several(errors.into_iter().flatten().collect()));
        }
    };
    let budget = groups::disruption_budget_api(context.version());
    let setup = Setup { cluster, calico, version, images, mtu, typhas, budget };
    let mut objects = kinds(context)?;
    objects.extend(access::objects(version));
    objects.extend(pools::objects(&setup));
    objects.push(felix);
    objects.extend(typha::objects(&setup)?);
    objects.extend(node::objects(&setup)?);
    objects.extend(controllers::objects(&setup)?);
    Ok(objects)
}

/// The kinds that Calico defines, from the cluster image.
fn kinds(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let files = context.manifests.get(KINDS).map(Vec::as_slice).unwrap_or_default();
    if files.is_empty() {
        return Err(Error::NoManifests { image: context.image.name.clone(), component: KINDS });
    }
    let mut objects = Vec::new();
    for file in files {
        let failed = |fault: TextFault| {
            let place = AddonPlace::line(&file.path, fault.line);
            Error::Addon { addon: KINDS.to_owned(), place, message: fault.message }
        };
        let found =
            text_objects(&file.text).map_err(|faults| Error::Several(faults.into_iter().map(failed).collect()))?;
        objects.extend(found.into_iter().map(|object| object.value));
    }
    Ok(objects)
}

fn transport(cluster: &Cluster, calico: &Calico, version: Version) -> Result<(), Error> {
    let vxlan = matches!(calico.transport, Transport::Vxlan(_));
    let carried = cluster.network.pod_cidr.addr().is_ipv4() || table::has_vxlan_over_ipv6(version);
    if vxlan && !carried { Err(Error::CalicoVxlan(version)) } else { Ok(()) }
}

/// Where pods in the network of their host find the API: as kube-proxy does, not by the address of the Service, so that
/// Calico needs no kube-proxy to come up.
fn api(cluster: &Cluster) -> Vec<(&'static str, String)> {
    api_at(endpoint::host_in_pods(cluster), cluster)
}

/// The same for pods with a network of their own. Where the endpoint is on loopback of every host, or a name that only
/// hosts may know, they go by the Service: by then the node's kube-proxy and network are there.
fn api_in_pod_network(cluster: &Cluster) -> Vec<(&'static str, String)> {
    let address = endpoint::address_in_pod_network(cluster);
    address.map(|address| api_at(address.to_string(), cluster)).unwrap_or_default()
}

fn api_at(host: String, cluster: &Cluster) -> Vec<(&'static str, String)> {
    vec![("KUBERNETES_SERVICE_HOST", host), ("KUBERNETES_SERVICE_PORT", cluster.endpoint.port.to_string())]
}

/// Metadata of an object without a namespace.
fn metadata(name: &str) -> Value {
    json!({ "name": name, "labels": { "app.kubernetes.io/managed-by": "kubewright" } })
}
