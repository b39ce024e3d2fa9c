//! Calico's controllers: one pod that takes back addresses of nodes that are gone.

use minijinja::context;
use serde_json::Value;

use super::{Setup, api_in_pod_network};
use crate::desired::Error;
use crate::desired::objects::manifest;
use crate::versions::calico as table;

/// Where the controllers tell of their health, in the network of their pod.
const HEALTH_PORT: u16 = 9440;

pub(super) fn objects(setup: &Setup<'_>) -> Result<Vec<Value>, Error> {
    let one_program = table::is_one_program(setup.version);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let probe = |flag: &str, kind: &str| {
        if one_program {
            let (port, kind) = (format!("--port={HEALTH_PORT}"), format!("--type={kind}"));
            words(&["/usr/bin/calico", "health", &port, &kind])
        } else {
            words(&["/usr/bin/check-status", flag])
        }
    };
    let port = format!("--health-port={HEALTH_PORT}");
    manifest(
        "calico-controllers.yaml.j2",
        context! {
            image => setup.images.controllers,
            confined => table::is_confined(setup.version),
            arguments => if one_program { words(&["component", "kube-controllers", &port]) } else { Vec::new() },
            controllers => table::controllers(setup.version),
            api => api_in_pod_network(setup.cluster),
            live => probe("-l", "liveness"),
            ready => probe("-r", "readiness"),
            budget => setup.budget,
        },
    )
}
