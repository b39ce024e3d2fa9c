//! The section `upgrade`.

use crate::cluster::{Drain, MaxUnavailable, Upgrade};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecUpgrade;
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::Context;

/// Converts the section `upgrade`.
pub(super) fn convert(spec: Option<&SpecUpgrade>, context: &mut Context<'_>) -> Upgrade {
    let path = Path::of("spec.upgrade");
    let mut upgrade = Upgrade::default();
    let Some(spec) = spec else { return upgrade };
    let width = spec.max_unavailable.as_ref().map(|text| &text.0);
    upgrade.max_unavailable =
        context.parse(&path.key("maxUnavailable"), width, upgrade.max_unavailable, max_unavailable);
    if let Some(drain) = &spec.drain {
        let default = Drain::default();
        upgrade.drain = Drain {
            timeout: context.parse(
                &path.key("drain").key("timeout"),
                drain.timeout.as_ref(),
                default.timeout,
                units::duration,
            ),
            empty_dirs: drain.empty_dirs.unwrap_or(default.empty_dirs),
            unmanaged: drain.unmanaged.unwrap_or(default.unmanaged),
        };
    }
    upgrade
}

fn max_unavailable(text: &str) -> Result<MaxUnavailable, Fault> {
    let hint = "write a number of workers, such as 2, or a share of them, such as 10%";
    text.parse().map_err(|error| Fault::new(format!("{error}"), hint))
}
