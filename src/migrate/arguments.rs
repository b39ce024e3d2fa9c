//! Flags of the control plane, as other tools hand them to its components.

use serde_json::{Map, Value};

use super::draft::{At, Draft};
use crate::cluster::reserved_argument;

/// The component in front of the cluster.
pub(in crate::migrate) const APISERVER: &str = "kube-apiserver";

/// Components, and where the inventory has their flags.
const COMPONENTS: [(&str, &str); 3] = [
    (APISERVER, "controlPlane.extraArgs.kube-apiserver"),
    ("kube-controller-manager", "controlPlane.extraArgs.kube-controller-manager"),
    ("kube-scheduler", "controlPlane.extraArgs.kube-scheduler"),
];

/// Carries `--flag=value` of `component` over, or says why not. `key` is what the source calls it.
pub(in crate::migrate) fn carry(draft: &mut Draft, component: &str, (flag, value): (&str, &str), key: &str, at: &At) {
    let flag = flag.trim_start_matches('-').replace('_', "-");
    let Some((_, field)) = COMPONENTS.iter().find(|(name, _)| *name == component) else { return };
    if reserved_argument(component, &flag) {
        draft.leave(key, at, "kubewright sets this flag itself");
    } else if value.starts_with('/') || value.contains("=/") {
        let why = "the flag names a file, and kubewright brings none to the static pods: it stays unset";
        draft.leave(key, at, why);
    } else if value.trim().is_empty() {
        draft.leave(key, at, "the flag has no value");
    } else {
        let before = draft.settings.iter().find(|setting| setting.field == *field);
        let mut flags = before.and_then(|setting| setting.value.as_object().cloned()).unwrap_or_else(Map::new);
        flags.insert(flag, Value::from(value));
        draft.set(field, flags, Some(at)).note = Some("the image's version must know these flags".into());
    }
}
