//! The interface of a host that carries its address in the cluster.

use super::Error;
use super::context::HostContext;
use crate::cluster::Interface;

/// Name and interface that has the host's address.
pub(super) fn of<'a>(host: &HostContext<'a>) -> Result<(&'a str, &'a Interface), Error> {
    let address = host.host.address;
    host.facts.interface_of(address).ok_or_else(|| Error::NoInterface {
        host: host.host.name.clone(),
        address,
        found: host
            .facts
            .interfaces
            .iter()
            .map(|(name, interface)| format!("{name} ({})", interface.addresses.join(", ")))
            .collect::<Vec<_>>()
            .join(", "),
    })
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
