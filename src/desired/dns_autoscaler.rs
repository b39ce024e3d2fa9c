//! Who says how many servers of the DNS there are, where the inventory does not. It is an add-on, so that it goes when
//! nobody wants it any more.

use std::collections::BTreeSet;

use minijinja::context;
use serde_json::json;

use super::addons::AddonObjects;
use super::objects::manifest;
use super::{Context, Error};
use crate::cluster::addons::DNS_AUTOSCALER;
use crate::cluster::{Autoscale, Replicas};
use crate::versions::nodes;

/// Name of the container image.
const IMAGE: &str = "cluster-proportional-autoscaler";

/// The add-on, where it is wanted.
pub(super) fn addon(context: &Context<'_>) -> Result<Option<AddonObjects>, Error> {
    let Replicas::Autoscaled(scale) = context.cluster.network.dns.replicas else { return Ok(None) };
    let Autoscale { cores_per_replica, nodes_per_replica, min, max } = scale;
    let linear = json!({
        "coresPerReplica": cores_per_replica,
        "nodesPerReplica": nodes_per_replica,
        "min": min,
        "max": max,
        "preventSinglePointFailure": true,
        "includeUnschedulableNodes": true,
    });
    let objects = manifest(
        "dns-autoscaler.yaml.j2",
        context! {
            image => context.reference(IMAGE)?,
            linear => linear.to_string(),
            master_taints => nodes::control_plane_taints(context.version()).to_vec(),
        },
    )?;
    Ok(Some(AddonObjects {
        name: DNS_AUTOSCALER.into(),
        namespace: "kube-system".into(),
        after: BTreeSet::new(),
        objects,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::{Fixture, documents};
    use crate::desired::{addons, objects};

    #[test]
    fn the_autoscaler_and_nobody_else_says_how_many_there_are() {
        let mut fixture = Fixture::new(36);
        fixture.add_images("coredns", "v1.14.2", &["registry.k8s.io/coredns/coredns"]);
        fixture.add_images("autoscaler", "v1.8.9", &["registry.k8s.io/cpa/cluster-proportional-autoscaler"]);
        let replicas = |fixture: &Fixture| {
            let objects = objects(&fixture.context()).unwrap();
            let coredns =
                objects.iter().find(|one| one["kind"] == "Deployment" && one["metadata"]["name"] == "coredns");
            coredns.unwrap()["spec"]["replicas"].clone()
        };
        assert_eq!(replicas(&fixture), 2);
        let scale = Autoscale { max: 9, ..Autoscale::default() };
        fixture.change(|parts| parts.network.dns.replicas = Replicas::Autoscaled(scale));
        assert!(replicas(&fixture).is_null());
        let groups = addons(&fixture.context()).unwrap();
        insta::assert_snapshot!("dns-autoscaler", documents(&groups[0][0].objects));
    }
}
