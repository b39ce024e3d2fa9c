//! The endpoint of the API.

use crate::cluster::{ClusterName, Endpoint, EndpointMode};
use crate::inventory::problems::Fault;
use crate::inventory::spec::{Mode, SpecEndpoint};
use crate::inventory::tree::Path;

use super::{Context, words};

/// Converts the section `endpoint`.
pub(super) fn convert(spec: Option<&SpecEndpoint>, cluster: &ClusterName, context: &mut Context<'_>) -> Endpoint {
    let path = Path::of("spec.endpoint");
    let defaults = SpecEndpoint::default();
    let spec = spec.unwrap_or(&defaults);
    let host = format!("api.{cluster}.kubewright.internal");
    let mode = spec.mode.unwrap_or(Mode::Local);
    for (key, set, belongs, name) in [
        ("vip", spec.vip.is_some(), Mode::Vip, "vip"),
        ("interface", spec.interface.is_some(), Mode::Vip, "vip"),
        ("routerId", spec.router_id.is_some(), Mode::Vip, "vip"),
        ("address", spec.address.is_some(), Mode::External, "external"),
    ] {
        if set && mode != belongs && !context.problems.touches(&path.key("mode")) {
            let fault = Fault::new(
                format!("`{key}` has no use without `mode: {name}`"),
                format!("write `mode: {name}`, or remove it"),
            );
            context.key_fault(&path.key(key), fault);
        }
    }
    Endpoint {
        host: context.parse(&path.key("host"), spec.host.as_ref(), host, words::host_name_only),
        port: spec.port.unwrap_or(6443),
        mode: match mode {
            Mode::Local => EndpointMode::Local,
            Mode::Vip => vip(spec, &path, context).unwrap_or(EndpointMode::Local),
            Mode::External => EndpointMode::External {
                address: context
                    .parse(&path.key("address"), spec.address.as_ref(), None, |text| words::address(text).map(Some)),
            },
        },
    }
}

fn vip(spec: &SpecEndpoint, path: &Path, context: &mut Context<'_>) -> Option<EndpointMode> {
    if spec.vip.is_none() {
        let hint = "add an address of the masters' layer-2 network that nobody uses";
        context.key_fault(&path.key("vip"), Fault::new("missing field `vip`, which `mode: vip` needs", hint));
    }
    if spec.router_id.is_none() {
        let hint = "add a number from 1 to 255 that no other VRRP router of that layer-2 network uses";
        context.key_fault(&path.key("routerId"), Fault::new("missing field `routerId`, which `mode: vip` needs", hint));
    }
    let interface = spec.interface.as_ref().and_then(|name| context.take(&path.key("interface"), interface(name)));
    let vip = spec.vip.as_ref().and_then(|vip| context.take(&path.key("vip"), words::address(vip)));
    Some(EndpointMode::Vip { vip: vip?, interface, router_id: spec.router_id? })
}

fn interface(text: &str) -> Result<String, Fault> {
    if (1..=15).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '"' | '\''))
    {
        return Ok(text.to_owned());
    }
    Err(Fault::new(format!("{text:?} is not the name of an interface"), "write it as `ip link` shows it, such as eth0"))
}
