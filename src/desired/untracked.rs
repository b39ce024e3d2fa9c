//! Traffic that connection tracking leaves alone: much of it, as load balancers have, would fill the table, and costs time
//! for each packet.

use std::fmt::Write as _;

use minijinja::context;

use super::Error;
use super::context::HostContext;
use super::file::{absent, file, running, unit_file, without_unit};
use super::render::render;
use super::state::Resource;
use crate::cluster::{Network, Untracked};

const UNIT: &str = "kubewright-untracked.service";
const RULES: &str = "/etc/kubewright/untracked.rules";
const CHAIN: &str = "KUBEWRIGHT-UNTRACKED";

/// On every node, or what takes them away again.
pub(super) fn resources(host: &HostContext<'_>) -> Result<Vec<Resource>, Error> {
    let network = &host.cluster().network;
    if network.untracked.is_empty() {
        return Ok([without_unit(UNIT), [absent(RULES)].into()].concat());
    }
    let values = context! { iptables => host.iptables()?, rules => RULES, chain => CHAIN };
    let unit = render("kubewright-untracked.service.j2", values)?;
    Ok(vec![file(RULES, 0o644, rules(network), &[UNIT]), unit_file(UNIT, unit), running(UNIT)])
}

/// For `iptables-restore`: both directions of each. What pods send may have to be translated on its way out, and is not
/// among it.
fn rules(network: &Network) -> String {
    let mut text = format!("*raw\n:{CHAIN} - [0:0]\n-I PREROUTING -j {CHAIN}\n-I OUTPUT -j {CHAIN}\n");
    let pods = network.pod_cidr.trunc();
    for Untracked { network, port, protocol } in &network.untracked {
        for (address, other, of) in [("-d", "-s", "--dport"), ("-s", "-d", "--sport")] {
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "-A {CHAIN} ! {other} {pods} {address} {network} -p {protocol} {of} {port} -j CT --notrack"
            );
        }
    }
    text + "COMMIT\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::TransportProtocol;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn resources_of(fixture: &Fixture) -> Vec<Resource> {
        let state = fixture.state("n1");
        let mut all = state.part(Part::Network).unwrap().resources.clone();
        all.split_off(all.len() - 3)
    }

    #[test]
    fn both_directions_are_left_alone_and_nothing_is_left_without_any() {
        let mut fixture = Fixture::new(36);
        let [Resource::Unit(unit), Resource::Absent(_), Resource::Absent(_)] = &resources_of(&fixture)[..] else {
            panic!("something is there")
        };
        assert!(!unit.running && !unit.enabled);
        fixture.change(|parts| {
            let network = "203.0.113.0/24".parse().unwrap();
            parts.network.untracked = vec![Untracked { network, port: 443, protocol: TransportProtocol::Tcp }];
        });
        let [Resource::File(rules), Resource::File(unit), Resource::Unit(running)] = &resources_of(&fixture)[..] else {
            panic!("nothing is there")
        };
        insta::assert_snapshot!(rules.content, @r"
        *raw
        :KUBEWRIGHT-UNTRACKED - [0:0]
        -I PREROUTING -j KUBEWRIGHT-UNTRACKED
        -I OUTPUT -j KUBEWRIGHT-UNTRACKED
        -A KUBEWRIGHT-UNTRACKED ! -s 10.244.0.0/16 -d 203.0.113.0/24 -p tcp --dport 443 -j CT --notrack
        -A KUBEWRIGHT-UNTRACKED ! -d 10.244.0.0/16 -s 203.0.113.0/24 -p tcp --sport 443 -j CT --notrack
        COMMIT
        ");
        assert!(unit.content.contains("/bin/iptables-restore\" -w") || unit.content.contains("iptables-restore -w"));
        assert!(running.running);
    }
}
