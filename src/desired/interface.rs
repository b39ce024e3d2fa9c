//! The interface of a host that carries its address in the cluster.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Error;
use super::context::HostContext;
use crate::cluster::Interface;

/// Name and interface that has the host's address.
pub(super) fn of<'a>(host: &HostContext<'a>) -> Result<(&'a str, &'a Interface), Error> {
    let address = host.host.address;
    let interfaces = &host.facts.interfaces;
    let found = interfaces.iter().find(|(_, interface)| interface.addresses.iter().any(|text| is(text, address)));
    found.map(|(name, interface)| (name.as_str(), interface)).ok_or_else(|| Error::NoInterface {
        host: host.host.name.clone(),
        address,
        found: interfaces
            .iter()
            .map(|(name, interface)| format!("{name} ({})", interface.addresses.join(", ")))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn is(text: &str, address: IpAddr) -> bool {
    text.parse::<IpNet>().is_ok_and(|net| net.addr() == address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Facts;
    use crate::desired::fixture::Fixture;

    #[test]
    fn the_interface_is_the_one_with_the_address() {
        let fixture = Fixture::new(36);
        let context = fixture.context();
        let mut host = HostContext::new(&context, fixture.host("m2")).unwrap();
        assert_eq!(of(&host).unwrap().0, "eth0");
        let facts = Facts::default();
        host.facts = &facts;
        let error = of(&host).unwrap_err().to_string();
        assert!(error.contains("m2: no interface has the address 10.1.0.12"), "{error}");
    }
}
