//! Hosts: ranges expanded, labels merged.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{DataDisk, Host, HostName, Kernel, LabelKey, LabelValue, Labels, Roles, Services, Taint};
use crate::inventory::problems::Fault;
use crate::inventory::range;
use crate::inventory::spec::{SpecCluster, SpecHost, SpecSsh, SpecTaint};
use crate::inventory::tree::Path;

use super::login::Sections;
use super::{Context, disks, settings, words};

/// The hosts of an inventory.
pub(super) struct Hosts {
    /// Expanded.
    pub(super) hosts: Vec<Host>,
    /// The entry that each comes from.
    pub(super) entries: Vec<usize>,
    /// Whether none had to be left out.
    pub(super) complete: bool,
}

/// Converts the section `hosts`.
pub(super) fn convert(spec: &SpecCluster, context: &mut Context<'_>) -> Hosts {
    let mut hosts = Hosts { hosts: Vec::new(), entries: Vec::new(), complete: spec.hosts.is_some() };
    let common =
        spec.labels.as_ref().map_or_else(Labels::new, |texts| labels(texts, &Path::of("spec.labels"), context));
    let kernel = settings::kernel(spec.kernel.as_ref(), &Path::of("spec.kernel"), &Kernel::default(), context);
    let services = settings::services(spec.services.as_ref(), &Services::default());
    let disks = disks::convert(spec.disks.as_deref().unwrap_or_default(), &Path::of("spec.disks"), context);
    let ssh = spec.ssh.clone().unwrap_or_default();
    if ssh.host.is_some() {
        let fault = Fault::new("`host` is a host's own", "move it to `ssh` of one of the hosts");
        context.key_fault(&Path::of("spec.ssh.host"), fault);
    }
    let mut counted = 0;
    for (index, entry) in spec.hosts.iter().flatten().enumerate() {
        let path = Path::of("spec.hosts").index(index);
        // Those that will be left out count, too: a short file must not stand for millions of names.
        counted += entry.name.as_deref().and_then(|name| range::count(name).ok()).unwrap_or_default();
        if counted > range::LIMIT {
            let fault = Fault::new(
                format!("these are more than {} hosts", range::LIMIT),
                "Kubernetes is made for 5000: build several clusters",
            );
            context.fault(&path.key("name"), fault);
            hosts.complete = false;
            break;
        }
        let common = Common { labels: &common, kernel: &kernel, services: &services, disks: &disks, ssh: &ssh };
        let Some(expanded) = expand(entry, &path, &common, context) else {
            hosts.complete = false;
            continue;
        };
        hosts.entries.extend(std::iter::repeat_n(index, expanded.len()));
        hosts.hosts.extend(expanded);
    }
    hosts
}

/// What holds for every host that does not say otherwise.
struct Common<'a> {
    labels: &'a Labels,
    kernel: &'a Kernel,
    services: &'a Services,
    disks: &'a [DataDisk],
    ssh: &'a SpecSsh,
}

fn expand(entry: &SpecHost, path: &Path, common: &Common<'_>, context: &mut Context<'_>) -> Option<Vec<Host>> {
    let names = entry.name.as_deref().and_then(|name| ranged(name, &path.key("name"), context));
    let count = names.as_ref().map(Vec::len);
    let names = names.and_then(|names| all(&names, &path.key("name"), host_name, context));
    let address_path = path.key("address");
    let addresses = entry.address.as_deref().and_then(|text| {
        if !range::is_range(text) && count.is_some_and(|count| count > 1) {
            let fault = Fault::new(
                format!("one address for {} hosts", count.unwrap_or_default()),
                "write a range as long as that of the name, such as 10.1.0.[11-13]",
            );
            context.fault(&address_path, fault);
            return None;
        }
        let texts = matching(text, count, &address_path, context)?;
        all(&texts, &address_path, words::address, context)
    });
    let idc = place(entry.idc.as_deref(), count, &path.key("idc"), context);
    let rack = place(entry.rack.as_deref(), count, &path.key("rack"), context);
    let dial_path = path.down("ssh.host");
    let dial = entry.ssh.as_ref().and_then(|ssh| ssh.host.as_deref()).and_then(|text| {
        let texts = matching(text, count, &dial_path, context)?;
        all(&texts, &dial_path, words::dial, context)
    });
    let roles: Option<Roles> = entry.roles.as_ref().map(|roles| roles.iter().copied().collect());
    if roles.as_ref().is_some_and(Roles::is_empty) {
        let fault = Fault::new("the host has no role", "write some of `control-plane`, `etcd` and `worker`");
        context.fault(&path.key("roles"), fault);
    }
    let own = entry.labels.as_ref().map_or_else(Labels::new, |texts| labels(texts, &path.key("labels"), context));
    let mut merged = common.labels.clone();
    merged.extend(own);
    let taints = taints(entry.taints.as_deref().unwrap_or_default(), &path.key("taints"), context);
    let kernel = settings::kernel(entry.kernel.as_ref(), &path.key("kernel"), common.kernel, context);
    let services = settings::services(entry.services.as_ref(), common.services);
    let own_disks = disks::convert(entry.disks.as_deref().unwrap_or_default(), &path.key("disks"), context);
    let login = Sections::new(entry.ssh.as_ref(), path, common.ssh).target(String::new(), context);

    let (names, addresses, roles) = (names?, addresses?, roles.filter(|roles| !roles.is_empty())?);
    let at = |values: &Option<Vec<String>>, index: usize| values.as_ref().and_then(|values| values.get(index).cloned());
    let hosts = names.into_iter().zip(addresses).enumerate().map(|(index, (name, address))| Host {
        name,
        address,
        roles: roles.clone(),
        idc: at(&idc, index),
        rack: at(&rack, index),
        labels: merged.clone(),
        taints: taints.clone(),
        kernel: kernel.clone(),
        services: services.clone(),
        disks: disks::merged(common.disks, &own_disks, &roles),
        ssh: crate::cluster::SshTarget {
            host: at(&dial, index).unwrap_or_else(|| address.to_string()),
            ..login.clone()
        },
    });
    Some(hosts.collect())
}

fn ranged(text: &str, path: &Path, context: &mut Context<'_>) -> Option<Vec<String>> {
    context.take(path, range::expand(text).map_err(broken))
}

fn broken(why: String) -> Fault {
    Fault::new(why, "write ranges like [1-3], [001-040] or [01-10,15]")
}

/// The values of a range that goes with the name's.
fn matching(text: &str, count: Option<usize>, path: &Path, context: &mut Context<'_>) -> Option<Vec<String>> {
    let length = context.take(path, range::count(text).map_err(broken))?;
    let count = count?;
    if length != 1 && length != count {
        let message = format!("{length} values for {count} host{}", if count == 1 { "" } else { "s" });
        let hint = "make the range as long as that of the name, or write one value for all";
        context.fault(path, Fault::new(message, hint));
        return None;
    }
    range::stretch(ranged(text, path, context)?, count).ok()
}

/// Every text parsed, or none when one is wrong.
fn all<T>(
    texts: &[String],
    path: &Path,
    parse: impl Fn(&str) -> Result<T, Fault>,
    context: &mut Context<'_>,
) -> Option<Vec<T>> {
    let parsed: Result<Vec<T>, Fault> = texts.iter().map(|text| parse(text)).collect();
    context.take(path, parsed)
}

fn host_name(text: &str) -> Result<HostName, Fault> {
    let hint = "use lower-case letters, digits and '-', such as m1 or node-001";
    HostName::parse(text).map_err(|why| Fault::new(format!("{text:?} {why}"), hint))
}

/// A data centre or rack: becomes a label.
fn place(text: Option<&str>, count: Option<usize>, path: &Path, context: &mut Context<'_>) -> Option<Vec<String>> {
    let texts = matching(text?, count, path, context)?;
    all(&texts, path, |text| label_value(text).map(|value| value.as_str().to_owned()), context).filter(|texts| {
        let empty = texts.iter().any(String::is_empty);
        if empty {
            context.fault(path, Fault::new("the value is empty", "give it a value, or remove the field"));
        }
        !empty
    })
}

fn label_value(text: &str) -> Result<LabelValue, Fault> {
    let hint = "label values have at most 63 letters, digits, '-', '_' and '.'";
    LabelValue::parse(text).map_err(|why| Fault::new(why, hint))
}

fn label_key(text: &str) -> Result<LabelKey, Fault> {
    let hint = "keys are NAME or PREFIX/NAME, such as example.com/team";
    LabelKey::parse(text).map_err(|why| Fault::new(why, hint))
}

fn labels(texts: &BTreeMap<String, String>, path: &Path, context: &mut Context<'_>) -> Labels {
    let mut labels = Labels::new();
    for (key, value) in texts {
        let path = path.key(key);
        match label_key(key) {
            Err(fault) => context.key_fault(&path, fault),
            Ok(key) => {
                if let Some(value) = context.take(&path, label_value(value)) {
                    labels.insert(key, value);
                }
            }
        }
    }
    labels
}

fn taints(specs: &[SpecTaint], path: &Path, context: &mut Context<'_>) -> Vec<Taint> {
    let mut taints: Vec<Taint> = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, spec) in specs.iter().enumerate() {
        let path = path.index(index);
        let key = spec.key.as_deref().and_then(|key| context.take(&path.key("key"), label_key(key)));
        let value = context.parse(&path.key("value"), spec.value.as_ref(), LabelValue::default(), label_value);
        let (Some(key), Some(effect)) = (key, spec.effect) else { continue };
        if !seen.insert((key.clone(), effect)) {
            let fault = Fault::new(format!("a second taint {key} with the same effect"), "keep one of the two");
            context.fault(&path.key("key"), fault);
        }
        taints.push(Taint { key, value, effect });
    }
    taints
}
