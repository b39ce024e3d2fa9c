//! Calico.

use ipnet::IpNet;

use crate::cluster::{AddressDetection, Calico, Felix, FelixValue, Overlay, Pool, Transport, Typha, check_selector};
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecAddressDetection, SpecCalico, SpecCalicoMode, SpecEncapsulation, SpecPool};
use crate::inventory::tree::Path;

use super::{Context, bgp, words};

/// Converts the section `network.calico`.
pub(super) fn convert(spec: Option<&SpecCalico>, path: &Path, pod_cidr: IpNet, context: &mut Context<'_>) -> Calico {
    let defaults = SpecCalico::default();
    let spec = spec.unwrap_or(&defaults);
    let felix = spec.felix.as_ref();
    Calico {
        transport: transport(spec, path, context),
        pools: match &spec.pools {
            Some(pools) => self::pools(pools, &path.key("pools"), pod_cidr, context),
            None => vec![Pool::new("default", pod_cidr)],
        },
        mtu: spec.mtu,
        detection: detection(spec.address_detection.as_ref(), &path.key("addressDetection"), context),
        felix: Felix {
            log: felix.and_then(|felix| felix.log).unwrap_or_default(),
            metrics_port: felix.and_then(|felix| felix.metrics_port),
            extra: felix.and_then(|felix| felix.extra.as_ref()).into_iter().flatten().map(typed).collect(),
        },
        typha: spec.typha.as_ref().and_then(|typha| typha.replicas).map_or(Typha::Auto, Typha::Replicas),
    }
}

/// A field with its value, which the checker of the inventory hands over as text.
fn typed((field, value): (&String, &FelixValue)) -> (String, FelixValue) {
    let value = match value {
        FelixValue::Text(text) => match (text.parse(), text.parse()) {
            (Ok(switch), _) => FelixValue::Switch(switch),
            (_, Ok(number)) => FelixValue::Number(number),
            _ => value.clone(),
        },
        other => other.clone(),
    };
    (field.clone(), value)
}

fn transport(spec: &SpecCalico, path: &Path, context: &mut Context<'_>) -> Transport {
    let overlay = match spec.encapsulation {
        None | Some(SpecEncapsulation::CrossSubnet) => Some(Overlay::CrossSubnet),
        Some(SpecEncapsulation::Always) => Some(Overlay::Always),
        Some(SpecEncapsulation::Never) => None,
    };
    let place = path.key("encapsulation");
    let mode = spec.mode.unwrap_or(SpecCalicoMode::Bgp);
    if mode == SpecCalicoMode::Vxlan {
        if spec.bgp.is_some() {
            let fault = Fault::new("nobody speaks BGP in mode vxlan", "remove `bgp`, or write `mode: bgp` or `ipip`");
            context.key_fault(&path.key("bgp"), fault);
        }
        if overlay.is_none() {
            let hint = "write `mode: bgp` for a network without an overlay";
            context.fault(&place, Fault::new("VXLAN never wraps: there would be no way between nodes", hint));
        }
        return Transport::Vxlan(overlay.unwrap_or(Overlay::CrossSubnet));
    }
    if mode == SpecCalicoMode::Bgp && spec.encapsulation.is_some_and(|wanted| wanted != SpecEncapsulation::Never) {
        context.fault(&place, Fault::new("mode bgp wraps nothing", "write `mode: ipip`, or remove `encapsulation`"));
    }
    let ipip = if mode == SpecCalicoMode::Ipip { overlay } else { None };
    Transport::Bgp { bgp: bgp::convert(spec.bgp.as_ref(), &path.key("bgp"), context), ipip }
}

fn pools(specs: &[SpecPool], path: &Path, pod_cidr: IpNet, context: &mut Context<'_>) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let path = path.index(index);
        let name = spec.name.as_ref().and_then(|name| context.take(&path.key("name"), words::dns_name(name)));
        let cidr = spec.cidr.as_ref().and_then(|cidr| context.take(&path.key("cidr"), words::network(cidr)));
        let (Some(name), Some(cidr)) = (name, cidr) else { continue };
        let default = Pool::new(&name, cidr);
        let place = path.key("nodeSelector");
        pools.push(Pool {
            block_size: spec.block_size.unwrap_or(default.block_size),
            nat_outgoing: spec.nat_outgoing.unwrap_or(default.nat_outgoing),
            node_selector: context.parse(&place, spec.node_selector.as_ref(), default.node_selector, selector),
            ..Pool::new(&name, cidr)
        });
    }
    if specs.is_empty() {
        context.fault(path, Fault::new("there is no pool", "name one, or remove `pools` for all of `podCidr`"));
        pools.push(Pool::new("default", pod_cidr));
    }
    pools
}

fn selector(text: &str) -> Result<String, Fault> {
    let hint = "write it in Calico's language, such as topology.kubewright.dev/idc == 'bj1' && has(function)";
    check_selector(text).map_err(|why| Fault::new(format!("Calico cannot read this: {why}"), hint))?;
    Ok(text.to_owned())
}

/// A regular expression for the names of interfaces; Calico gets several in one text, with commas between them.
fn interface_pattern(text: &str) -> Result<String, Fault> {
    let hint = "write a regular expression for names of interfaces, such as bond0 or eth.*; several make a list";
    let why = match regex_syntax::parse(text) {
        _ if text.is_empty() => "there is nothing".to_owned(),
        _ if text.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control()) => {
            "no name has blanks or commas".to_owned()
        }
        Ok(_) => return Ok(text.to_owned()),
        Err(regex_syntax::Error::Parse(error)) => error.kind().to_string(),
        Err(regex_syntax::Error::Translate(error)) => error.kind().to_string(),
        Err(error) => error.to_string(),
    };
    Err(Fault::new(format!("{text:?} matches no interface: {why}"), hint))
}

fn detection(spec: Option<&SpecAddressDetection>, path: &Path, context: &mut Context<'_>) -> AddressDetection {
    let Some(spec) = spec else { return AddressDetection::Inventory };
    match (&spec.interfaces, &spec.networks) {
        (Some(interfaces), None) if !interfaces.is_empty() => {
            let path = path.key("interfaces");
            let patterns = interfaces.iter().enumerate();
            let patterns =
                patterns.filter_map(|(index, text)| context.take(&path.index(index), interface_pattern(text)));
            AddressDetection::Interfaces(patterns.collect())
        }
        (None, Some(networks)) if !networks.is_empty() => {
            AddressDetection::Networks(words::networks(networks, &path.key("networks"), context))
        }
        _ => {
            let fault =
                Fault::new("either `interfaces` or `networks` is wanted", "name one of them, and what is in it");
            context.fault(path, fault);
            AddressDetection::Inventory
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_interfaces_can_be_read() {
        for good in ["bond0", "eth.*", "en[ps][0-9]+", "(eth|bond)0"] {
            assert!(interface_pattern(good).is_ok(), "{good}");
        }
        for bad in ["", "eth[", "*", "eth0,eth1", "eth{1,2}", "(eth", "eth 0", "a\n", "(?=x)"] {
            assert!(interface_pattern(bad).is_err(), "{bad:?}");
        }
    }
}
