//! A draft to an inventory that is valid, or to everything that keeps it from being one. The rules are those of the
//! inventory itself; what breaks one is told at the place of the source that it comes from.

use std::net::IpAddr;

use super::draft::{At, Draft, Problem};
use super::write::{self, IMAGE};
use crate::cluster::ClusterName;
use crate::inventory;

/// An inventory made from another tool's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The inventory.
    pub text: String,
    /// What was not carried over, in few lines.
    pub summary: String,
}

/// The name of a cluster that has none.
const NAMELESS: &str = "my-cluster";

/// Makes the inventory. `name` is what the user wants the cluster to be called.
pub(in crate::migrate) fn finish(mut draft: Draft, name: Option<&ClusterName>) -> Result<Migrated, Vec<Problem>> {
    let named = draft.name.as_deref().and_then(|name| ClusterName::parse(name).ok());
    let name = name.or(named.as_ref()).map_or(NAMELESS, ClusterName::as_str).to_owned();
    image(&mut draft);
    draft.find_workers();
    draft.share_logins();
    let text = write::inventory(&with_addresses(&draft), &name);
    let mut problems = std::mem::take(&mut draft.problems);
    if draft.hosts.is_empty() && problems.is_empty() {
        let at = At::file(&draft.from);
        problems.push(Problem::at(at, "there are no hosts in it", "is this the right file?"));
    }
    if !draft.hosts.is_empty() {
        // Paths of the source may begin with `~`; where that is does not matter for the rules.
        let environment = |name: &str| (name == "HOME").then(|| "/".to_owned());
        if let Err(report) = inventory::parse("", &text, &environment) {
            problems.extend(report.findings().filter_map(|finding| explain(finding, &draft)));
        }
    }
    let summary = write::summary(&draft);
    if problems.is_empty() { Ok(Migrated { text, summary }) } else { Err(problems) }
}

fn image(draft: &mut Draft) {
    let runs = draft.version.as_ref().map_or_else(String::new, |version| format!(" Kubernetes {version} ran there;"));
    let change =
        format!("the cluster image, which says the version of everything;{runs} images/ has specs to build one");
    draft.set("image", IMAGE, None).change_me = Some(change);
}

/// The same draft in which every host has an address, one of those for documentation where none was found: the rules
/// about everything else can be looked at all the same.
fn with_addresses(draft: &Draft) -> Draft {
    let mut filled = draft.clone();
    let known = draft.hosts.iter().find_map(|host| host.address.as_ref()?.parse::<IpAddr>().ok());
    let v6 = known.is_some_and(|address| address.is_ipv6());
    for (index, host) in filled.hosts.iter_mut().enumerate().filter(|(_, host)| host.address.is_none()) {
        host.address = Some(if v6 { format!("2001:db8::{index:x}") } else { format!("192.0.2.{}", index % 254 + 1) });
    }
    filled
}

/// What a rule says about the text, as a problem of the source. Of a host without an address enough has been said.
fn explain(finding: &inventory::Finding, draft: &Draft) -> Option<Problem> {
    let host = finding.field.strip_prefix("spec.hosts[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    let at = match host.and_then(|index| draft.hosts.get(index)) {
        Some(host) if host.address.is_none() => return None,
        Some(host) => host.at.clone(),
        None => {
            let field = finding.field.strip_prefix("spec.").unwrap_or(&finding.field);
            let of = |setting: &&super::draft::Setting| {
                field.strip_prefix(setting.field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let set = draft.settings.iter().find(of).and_then(|setting| setting.at.clone());
            set.unwrap_or_else(|| At::file(&draft.from))
        }
    };
    let what = format!("{} (as `{}` of the inventory)", finding.message, finding.field);
    Some(Problem::at(at, what, finding.hint.clone()))
}
