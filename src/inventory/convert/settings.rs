//! Settings of the parts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{
    ControlPlane, Etcd, Kernel, KeyAlgorithm, Kubelet, Pki, QualityOfService, Service, Services, sysctl_key,
};
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecControlPlane, SpecEtcd, SpecKernel, SpecKubelet, SpecPki, SpecServices, Text};
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::{Context, snapshots, tuning, words};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Converts the section `etcd`.
pub(super) fn etcd(spec: Option<&SpecEtcd>, context: &mut Context<'_>) -> Etcd {
    let path = Path::of("spec.etcd");
    let defaults = SpecEtcd::default();
    let spec = spec.unwrap_or(&defaults);
    Etcd {
        heartbeat: context.parse(
            &path.key("heartbeat"),
            spec.heartbeat.as_ref(),
            Duration::from_millis(100),
            units::duration,
        ),
        election: context.parse(&path.key("election"), spec.election.as_ref(), Duration::from_secs(1), units::duration),
        quota_bytes: context.parse(&path.key("quota"), spec.quota.as_ref(), 8 << 30, units::size),
        snapshots: snapshots::convert(spec.snapshots.as_ref(), context),
    }
}

/// Converts the section `controlPlane`.
pub(super) fn control_plane(spec: Option<&SpecControlPlane>, context: &mut Context<'_>) -> ControlPlane {
    let path = Path::of("spec.controlPlane");
    let defaults = SpecControlPlane::default();
    let spec = spec.unwrap_or(&defaults);
    let mut extra_args = BTreeMap::new();
    if let Some(spec) = &spec.extra_args {
        for (component, flags) in [
            ("kube-apiserver", &spec.kube_apiserver),
            ("kube-controller-manager", &spec.kube_controller_manager),
            ("kube-scheduler", &spec.kube_scheduler),
        ] {
            if let Some(flags) = flags {
                let path = path.key("extraArgs").key(component);
                extra_args.insert(component.to_owned(), texts(flags, &path, flag, context));
            }
        }
    }
    let sans = spec.cert_sans.as_deref().unwrap_or_default().iter().enumerate();
    ControlPlane {
        extra_args,
        cert_sans: sans
            .filter_map(|(index, san)| context.take(&path.key("certSans").index(index), words::subject_name(san)))
            .collect(),
        quality_of_service: spec.quality_of_service.unwrap_or(QualityOfService::Burstable),
    }
}

/// Converts the section `kubelet`.
pub(super) fn kubelet(spec: Option<&SpecKubelet>) -> Kubelet {
    Kubelet { max_pods: spec.and_then(|spec| spec.max_pods).unwrap_or(110) }
}

/// Converts the section `pki`.
pub(super) fn pki(spec: Option<&SpecPki>, context: &mut Context<'_>) -> Pki {
    let path = Path::of("spec.pki");
    let defaults = SpecPki::default();
    let spec = spec.unwrap_or(&defaults);
    Pki {
        algorithm: spec.algorithm.unwrap_or(KeyAlgorithm::EcdsaP256),
        ca_lifetime: context.parse(&path.key("caLifetime"), spec.ca_lifetime.as_ref(), DAY * 3650, units::duration),
        leaf_lifetime: context.parse(
            &path.key("leafLifetime"),
            spec.leaf_lifetime.as_ref(),
            DAY * 365,
            units::duration,
        ),
    }
}

/// Converts a section `kernel`; what it does not say is as in `common`.
pub(super) fn kernel(spec: Option<&SpecKernel>, path: &Path, common: &Kernel, context: &mut Context<'_>) -> Kernel {
    let mut kernel = common.clone();
    let Some(spec) = spec else { return kernel };
    kernel.profile = spec.profile.unwrap_or(kernel.profile);
    kernel.swap = spec.swap.unwrap_or(kernel.swap);
    for (index, name) in spec.modules.iter().flatten().enumerate() {
        kernel.modules.extend(context.take(&path.key("modules").index(index), module(name)));
    }
    if let Some(sysctls) = &spec.sysctls {
        let path = path.key("sysctls");
        let mut own = BTreeMap::new();
        for (text, value) in texts(sysctls, &path, sysctl, context) {
            let place = path.key(&text);
            if value.trim().is_empty() {
                context.fault(&place, Fault::new("the value is empty", "give it a value, or remove the key"));
            } else if own.insert(sysctl_key(&text), value).is_some() {
                context.key_fault(&place, Fault::new("the same key in another spelling", "keep one of the two"));
            }
        }
        kernel.sysctls.extend(own);
    }
    tuning::convert(spec, path, &mut kernel.tuning, context);
    kernel
}

/// Converts a section `services`; what it does not say is as in `common`.
pub(super) fn services(spec: Option<&SpecServices>, common: &Services) -> Services {
    let mut services = common.clone();
    for service in Service::ALL {
        if let Some(handling) = spec.and_then(|spec| spec.of(service)) {
            services.set(service, handling);
        }
    }
    services
}

/// The entries whose key is good and whose value fits on a line.
fn texts(
    texts: &BTreeMap<String, Text>,
    path: &Path,
    check: impl Fn(&str) -> Result<(), Fault>,
    context: &mut Context<'_>,
) -> BTreeMap<String, String> {
    let mut checked = BTreeMap::new();
    for (key, Text(value)) in texts {
        let path = path.key(key);
        if let Err(fault) = check(key) {
            context.key_fault(&path, fault);
        } else if value.chars().any(char::is_control) {
            context.fault(
                &path,
                Fault::new("the value has a line break or another control character", "write it on one line"),
            );
        } else {
            checked.insert(key.clone(), value.clone());
        }
    }
    checked
}

fn flag(name: &str) -> Result<(), Fault> {
    let plain = name.trim_start_matches('-');
    if name.starts_with('-') && !plain.is_empty() {
        return Err(Fault::new(format!("the flag {name:?} is written with dashes"), format!("write `{plain}`")));
    }
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        let hint = "flags have lower-case letters, digits and '-' only";
        return Err(Fault::new(format!("{name:?} is not a flag"), hint));
    }
    Ok(())
}

fn sysctl(key: &str) -> Result<(), Fault> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    if key.contains(['.', '/']) && key.chars().all(good) && !key.contains("..") && !key.starts_with(['.', '/', '-']) {
        return Ok(());
    }
    Err(Fault::new(format!("{key:?} is not a sysctl"), "write it as sysctl does: net.core.somaxconn"))
}

fn module(name: &str) -> Result<String, Fault> {
    if !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !name.starts_with('-')
    {
        return Ok(name.to_owned());
    }
    Err(Fault::new(format!("{name:?} is not the name of a kernel module"), "write it as lsmod does: br_netfilter"))
}
