//! What templates of add-ons may name.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::context;
use minijinja::value::{Object, Value};

use crate::cluster::{Cluster, Host};
use crate::desired::endpoint;
use crate::image::{ClusterImage, name_and_tag};
use crate::versions::supported;

/// The values for `cluster`. Without its image, texts stand for what only that says: a template can be judged, and what
/// it makes is not to be used.
pub(super) fn of(cluster: &Cluster, image: Option<&ClusterImage>) -> Value {
    let network = &cluster.network;
    let kubernetes = match image {
        Some(image) => image.kubernetes.to_string(),
        None => format!("v1.{}.0", supported::LAST),
    };
    let images = image.map_or_else(|| Value::from_object(AnyImage), |image| Value::from(images(image)));
    context! {
        cluster => context! {
            name => cluster.name.to_string(),
            kubernetes,
            domain => network.domain.clone(),
            pod_cidr => network.pod_cidr.to_string(),
            service_cidr => network.service_cidr.to_string(),
            dns => network.dns_service_address().map(|address| address.to_string()).unwrap_or_default(),
            api => endpoint::url_in_pods(cluster),
        },
        nodes => cluster.hosts.iter().filter(|host| host.roles.is_node()).map(node).collect::<Vec<_>>(),
        images,
    }
}

fn node(host: &Host) -> Value {
    let labels: BTreeMap<String, String> =
        host.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    context! {
        name => host.name.as_str(),
        address => host.address.to_string(),
        idc => host.idc.clone().unwrap_or_default(),
        rack => host.rack.clone().unwrap_or_default(),
        roles => host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        labels,
    }
}

/// References by the last part of their names.
fn images(image: &ClusterImage) -> BTreeMap<String, String> {
    let entry = |reference: &str| {
        let (name, _) = name_and_tag(reference);
        (name.rsplit('/').next().unwrap_or(name).replace('-', "_"), reference.to_owned())
    };
    image.references().map(entry).collect()
}

/// Stands for the images of a cluster image that is not at hand.
#[derive(Debug)]
struct AnyImage;

impl Object for AnyImage {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(format!("image.invalid/{}:v0", key.as_str()?.replace('_', "-"))))
    }
}
