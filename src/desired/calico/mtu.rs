//! The MTU of pods.

use crate::cluster::{Calico, FelixValue};
use crate::desired::context::HostContext;
use crate::desired::{Context, Error, interface};

/// Bytes that WireGuard takes of each packet: between addresses of IPv4, and of IPv6.
const WIREGUARD: [u32; 2] = [60, 80];

/// What the inventory says; else what fits through the narrowest interface between nodes, with what wraps it. Written
/// down, because Calico looks at interfaces by their names alone, and knows neither bonds nor VLANs.
pub(super) fn of(context: &Context<'_>, calico: &Calico) -> Result<u32, Error> {
    if let Some(mtu) = calico.mtu {
        return Ok(mtu);
    }
    let mut errors = Vec::new();
    let mut mtus = Vec::new();
    for node in context.cluster.hosts.iter().filter(|host| host.roles.is_node()) {
        match HostContext::new(context, node).and_then(|host| Ok(interface::of(&host)?.1.mtu)) {
            Ok(mtu) => mtus.push(mtu),
            Err(error) => errors.push(error),
        }
    }
    Error::collect(errors)?;
    let narrowest = mtus.into_iter().min().unwrap_or_default();
    Ok(narrowest.saturating_sub(overhead(calico, context.cluster.network.pod_cidr.addr().is_ipv6())))
}

fn overhead(calico: &Calico, is_ipv6: bool) -> u32 {
    let on = |field: &str| calico.felix.extra.get(field) == Some(&FelixValue::Switch(true));
    let encrypted = on("wireguardEnabled") || on("wireguardEnabledV6");
    let wireguard = if encrypted { WIREGUARD[usize::from(is_ipv6)] } else { 0 };
    calico.transport.overhead(is_ipv6).max(wireguard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Bgp, Overlay, Transport};
    use crate::desired::fixture::Fixture;

    fn mtu(fixture: &Fixture) -> Result<u32, Error> {
        of(&fixture.context(), fixture.cluster.network.calico().unwrap())
    }

    #[test]
    fn the_narrowest_node_counts_and_what_wraps_packets_takes_room() {
        let mut fixture = Fixture::with_calico(32, "3.30.2");
        let set = |fixture: &mut Fixture, host: &str, mtu: u32| {
            fixture.facts_of(host).interfaces.get_mut("eth0").unwrap().mtu = mtu;
        };
        assert_eq!(mtu(&fixture).unwrap(), 1500);
        for host in ["m1", "m2", "m3", "n1", "n2"] {
            set(&mut fixture, host, 9000);
        }
        assert_eq!(mtu(&fixture).unwrap(), 9000);
        set(&mut fixture, "n2", 4000);
        for (transport, expected) in [
            (Transport::Bgp { bgp: Bgp::default(), ipip: None }, 4000),
            (Transport::Bgp { bgp: Bgp::default(), ipip: Some(Overlay::CrossSubnet) }, 3980),
            (Transport::Vxlan(Overlay::Always), 3950),
        ] {
            fixture.change_calico(|calico| calico.transport = transport);
            assert_eq!(mtu(&fixture).unwrap(), expected);
        }
        let wireguard = || ("wireguardEnabled".to_owned(), FelixValue::Switch(true));
        fixture.change_calico(|calico| calico.felix.extra.extend([wireguard()]));
        assert_eq!(mtu(&fixture).unwrap(), 3940);
        fixture.change_calico(|calico| calico.mtu = Some(1400));
        assert_eq!(mtu(&fixture).unwrap(), 1400);
    }

    #[test]
    fn every_node_without_its_address_is_named() {
        let mut fixture = Fixture::with_calico(32, "3.30.2");
        for host in ["m1", "n2"] {
            fixture.facts_of(host).interfaces.clear();
        }
        let message = mtu(&fixture).unwrap_err().to_string();
        assert!(message.contains("m1: no interface") && message.contains("n2: no interface"), "{message}");
    }
}
