//! Interfaces of the cluster that whoever looks after a host's interfaces leaves alone: otherwise it takes their
//! addresses and routes away again.

use crate::cluster::NetworkPlugin;
use crate::desired::context::HostContext;
use crate::desired::file::{file, reloaded};
use crate::desired::state::Resource;

const NETWORK_MANAGER: &str = "NetworkManager.service";
const KEYFILE: &str = "/etc/NetworkManager/conf.d/kubewright.conf";
const NETWORKD: &str = "systemd-networkd.service";
/// Before anybody else's: the first file that matches an interface is the one that counts.
const LINKS: &str = "/etc/systemd/network/05-kubewright.network";

pub(super) fn resources(host: &HostContext<'_>) -> Vec<Resource> {
    let mut resources = Vec::new();
    if !host.is_node() {
        return resources;
    }
    let names = interfaces(host);
    if host.facts.units.contains_key(NETWORK_MANAGER) {
        let specs: Vec<String> = names.iter().map(|name| format!("interface-name:{name}")).collect();
        let text = format!(
            "# Written by kubewright; changes are overwritten.\n[keyfile]\nunmanaged-devices+={}\n",
            specs.join(";")
        );
        resources.push(reloaded(KEYFILE, text, NETWORK_MANAGER));
    }
    // Older ones do not know the word and would look after these interfaces because of the file.
    let active = host.facts.units.get(NETWORKD).is_some_and(|state| state == "active");
    if active && host.facts.systemd >= 233 {
        let text = format!(
            "# Written by kubewright; changes are overwritten.\n[Match]\nName={}\n\n[Link]\nUnmanaged=yes\n",
            names.join(" ")
        );
        // It can be told to read its files again since 244; before, what is here holds from its next start on.
        resources.push(match host.facts.systemd {
            244.. => reloaded(LINKS, text, NETWORKD),
            _ => file(LINKS, 0o644, text, &[]),
        });
    }
    resources
}

/// Names and patterns of interfaces that the cluster makes.
fn interfaces(host: &HostContext<'_>) -> Vec<&'static str> {
    const CALICO: [&str; 6] = ["cali*", "tunl*", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali"];
    let network = &host.cluster().network;
    let mut names = match &network.plugin {
        NetworkPlugin::Bridge => vec!["cni0", "veth*"],
        NetworkPlugin::Calico(_) => CALICO.to_vec(),
        // Whatever comes later is likely to be one of these.
        NetworkPlugin::None => [&CALICO[..], &["cilium*", "lxc*", "flannel*", "cni0", "veth*"]].concat(),
    };
    // Whatever the mode of kube-proxy: a change of it comes to a node later than this.
    names.extend(["kube-ipvs0", "nodelocaldns"]);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::{File, Part};

    fn written(fixture: &Fixture, host: &str) -> Vec<File> {
        let state = fixture.state(host);
        let file = |resource: &Resource| match resource {
            Resource::File(file) if [KEYFILE, LINKS].contains(&file.path.as_str()) => Some(file.clone()),
            _ => None,
        };
        state.part(Part::Kernel).unwrap().resources.iter().filter_map(file).collect()
    }

    #[test]
    fn whoever_looks_after_interfaces_is_told_which_are_the_clusters() {
        let mut fixture = Fixture::with_etcd_host(36);
        assert!(written(&fixture, "n1").is_empty(), "nobody is there to be told");
        for host in ["n1", "e1"] {
            let facts = fixture.facts_of(host);
            facts.systemd = 252;
            facts.units.insert(NETWORK_MANAGER.to_owned(), "inactive".to_owned());
            facts.units.insert(NETWORKD.to_owned(), "active".to_owned());
        }
        let files = written(&fixture, "n1");
        insta::assert_snapshot!(files.iter().map(|file| format!("{}\n{}", file.path, file.content)).collect::<Vec<_>>().join("\n"), @"
        /etc/NetworkManager/conf.d/kubewright.conf
        # Written by kubewright; changes are overwritten.
        [keyfile]
        unmanaged-devices+=interface-name:cni0;interface-name:veth*;interface-name:kube-ipvs0;interface-name:nodelocaldns

        /etc/systemd/network/05-kubewright.network
        # Written by kubewright; changes are overwritten.
        [Match]
        Name=cni0 veth* kube-ipvs0 nodelocaldns

        [Link]
        Unmanaged=yes
        ");
        assert_eq!(files.iter().flat_map(|file| &file.reloads).collect::<Vec<_>>(), [NETWORK_MANAGER, NETWORKD]);
        assert!(files.iter().all(|file| file.restarts.is_empty()), "connections must not be cut");
        assert!(written(&fixture, "e1").is_empty(), "an etcd host has none of them");
        fixture.change(|parts| parts.network.plugin = NetworkPlugin::None);
        assert!(written(&fixture, "n1").iter().all(|file| file.content.contains("cali*")));
    }

    #[test]
    fn an_old_networkd_is_not_told_what_it_does_not_understand() {
        let mut fixture = Fixture::new(30);
        for (systemd, files, reloads) in [(219, 0, 0), (237, 1, 0), (252, 1, 1)] {
            let facts = fixture.facts_of("n1");
            facts.systemd = systemd;
            facts.units.insert(NETWORKD.to_owned(), "active".to_owned());
            let written = written(&fixture, "n1");
            let asked = written.iter().map(|file| file.reloads.len()).sum::<usize>();
            assert_eq!((written.len(), asked), (files, reloads), "{systemd}");
        }
    }
}
