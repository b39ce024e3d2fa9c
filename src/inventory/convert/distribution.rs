//! The way of blobs.

use std::num::NonZeroU32;

use crate::cluster::Distribution;
use crate::inventory::spec::SpecDistribution;
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::Context;

/// Converts the section `distribution`.
pub(super) fn convert(spec: Option<&SpecDistribution>, context: &mut Context<'_>) -> Distribution {
    let path = Path::of("spec.distribution");
    let defaults = SpecDistribution::default();
    let spec = spec.unwrap_or(&defaults);
    let limit = (&path.key("rateLimit"), spec.rate_limit.as_ref());
    Distribution {
        mode: spec.mode.unwrap_or_default(),
        rate_limit: context.parse(limit.0, limit.1, Distribution::RATE_LIMIT, units::size),
        port: spec.port.unwrap_or(Distribution::PORT),
        // The checker has refused zero.
        retain: spec.retain.and_then(NonZeroU32::new).unwrap_or(Distribution::RETAIN),
    }
}
