//! Rules about the way of blobs.

use super::{Place, Violation, ports};
use crate::cluster::{DistributionMode, Endpoint, EndpointMode, Parts};

/// Below this, giving a blob on takes longer than any other way.
const SLOWEST: u64 = 1 << 20;

pub(super) fn the_port_is_free(parts: &Parts) -> Vec<Violation> {
    let port = parts.distribution.port;
    let on_hosts = !matches!(parts.endpoint.mode, EndpointMode::External { .. });
    let message = if port == 0 {
        "0 is no port".to_owned()
    } else if port == Endpoint::APISERVER_PORT || (on_hosts && port == parts.endpoint.port) {
        format!("the port {port} is that of the API")
    } else if let Some(message) = ports::taken(parts, port) {
        message
    } else {
        return Vec::new();
    };
    vec![Violation::new(Place::spec("distribution.port"), message, "choose one where nothing listens, such as 10380")]
}

pub(super) fn blobs_travel_at_all(parts: &Parts) -> Vec<Violation> {
    let limit = parts.distribution.rate_limit;
    if limit >= SLOWEST {
        return Vec::new();
    }
    let message = format!("{limit} bytes in a second are too slow for anything");
    vec![Violation::new(Place::spec("distribution.rateLimit"), message, "write at least 1MiB; 400MiB are usual")]
}

pub(super) fn a_registry_is_at_hand(parts: &Parts) -> Vec<Violation> {
    let local = ["oci:", "oci-archive:", "docker-archive:"].iter().any(|kind| parts.image.0.starts_with(kind));
    if parts.distribution.mode != DistributionMode::Registry || !local {
        return Vec::new();
    }
    let message = format!("hosts cannot pull from a registry: {} is in no registry", parts.image.0);
    let hint = "name an image in a registry as `image`, or write another `mode`: auto, push or peers";
    vec![Violation::new(Place::spec("distribution.mode"), message, hint).with(Place::spec("image"))]
}
