//! Typha: asks the API servers once for many nodes.

use minijinja::context;
use serde_json::Value;

use super::{Setup, api};
use crate::desired::Error;
use crate::desired::objects::manifest;
use crate::versions::calico as table;

pub(super) fn objects(setup: &Setup<'_>) -> Result<Vec<Value>, Error> {
    let Some(image) = setup.images.typha else { return Ok(Vec::new()) };
    manifest(
        "calico-typha.yaml.j2",
        context! {
            image,
            replicas => setup.typhas,
            confined => table::is_confined(setup.version),
            one_program => table::is_one_program(setup.version),
            slow => table::has_slow_shutdown(setup.version),
            api => api(setup.cluster),
            budget => setup.budget,
        },
    )
}
