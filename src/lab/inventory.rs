//! The files that make a lab an inventory like any other.

use std::fmt::{self, Display, Write};

use super::keys::{Keys, public_key};
use super::topology::{LabHost, VIRTUAL};
use super::{EndpointChoice, LabError, LabName};

/// Everything that the inventory says.
pub(super) struct Inventory<'a> {
    pub(super) name: &'a LabName,
    pub(super) image: &'a str,
    pub(super) endpoint: EndpointChoice,
    pub(super) identity_file: &'a str,
    /// Hosts, each with its public host key.
    pub(super) hosts: Vec<(&'a LabHost, String)>,
}

/// The hosts, each with its public host key.
pub(super) fn with_keys<'a>(hosts: &'a [LabHost], keys: &Keys) -> Result<Vec<(&'a LabHost, String)>, LabError> {
    hosts.iter().map(|host| Ok((host, public_key(&keys.host(&host.name))?))).collect()
}

/// A known_hosts file for ssh.
pub(super) fn known_hosts(hosts: &[(&LabHost, String)]) -> String {
    hosts.iter().fold(String::new(), |mut text, (host, key)| {
        let _ = writeln!(text, "{},{} {key}", host.address, host.name);
        text
    })
}

impl Display for Inventory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Made by `kubewright lab up`. The addresses exist only inside the lab: use it through `lab exec`."
        )?;
        writeln!(f, "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster")?;
        writeln!(f, "metadata: {{name: {}}}", quoted(self.name.as_str()))?;
        writeln!(f, "spec:")?;
        writeln!(f, "  image: {}", quoted(self.image))?;
        writeln!(f, "  ssh: {{user: root, identityFile: {}}}", quoted(self.identity_file))?;
        let name = quoted(&format!("api.{}.kubewright.internal", self.name));
        match self.endpoint {
            EndpointChoice::Local => writeln!(f, "  endpoint: {{host: {name}, port: 6443, mode: local}}")?,
            EndpointChoice::Vip => {
                writeln!(
                    f,
                    "  endpoint: {{host: {name}, port: 6443, mode: vip, vip: {}, routerId: 99}}",
                    quoted(&VIRTUAL.to_string())
                )?;
            }
            EndpointChoice::External => {
                let first = self.hosts.first().map(|(host, _)| host.address.to_string()).unwrap_or_default();
                writeln!(f, "  endpoint: {{host: {name}, port: 6443, mode: external, address: {}}}", quoted(&first))?;
            }
        }
        writeln!(f, "  network:")?;
        writeln!(
            f,
            "    {{plugin: bridge, podCidr: 10.244.0.0/16, serviceCidr: 10.96.0.0/16, proxy: {{mode: ipvs}}}}"
        )?;
        // The hosts share a disk and few processors: members must not take a slow answer for a lost leader.
        writeln!(f, "  etcd: {{heartbeat: 500ms, election: 5000ms}}")?;
        writeln!(f, "  hosts:")?;
        for (host, key) in &self.hosts {
            let roles = host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            writeln!(f, "    - name: {}", quoted(&host.name))?;
            writeln!(f, "      address: {}", quoted(&host.address.to_string()))?;
            writeln!(f, "      roles: [{roles}]")?;
            writeln!(f, "      idc: {}", quoted(&host.idc))?;
            writeln!(f, "      rack: {}", quoted(&host.rack))?;
            writeln!(f, "      ssh: {{hostKeys: [{}]}}", quoted(key))?;
        }
        Ok(())
    }
}

/// A YAML string that nothing takes for a number, a boolean or a list: JSON's form is valid YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Options, topology};

    fn inventory(endpoint: EndpointChoice) -> String {
        let name: LabName = "on".parse().unwrap();
        let options = Options { masters: 1, workers: 1, ..Options::new(name.clone()) };
        let hosts = topology::hosts(&options);
        let hosts = hosts.iter().map(|host| (host, format!("ssh-ed25519 KEY{}", host.name))).collect();
        let inventory = Inventory { name: &name, image: "oci:/cache/a", endpoint, identity_file: "/lab/id", hosts };
        inventory.to_string()
    }

    #[test]
    fn it_is_valid_yaml_with_every_string_quoted() {
        let text = inventory(EndpointChoice::Vip);
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(value["metadata"]["name"], "on");
        assert_eq!(value["spec"]["endpoint"]["vip"], "10.99.0.10");
        assert_eq!(value["spec"]["hosts"][1]["ssh"]["hostKeys"][0], "ssh-ed25519 KEYn1");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_endpoint_is_the_one_asked_for() {
        assert!(inventory(EndpointChoice::Local).contains("port: 6443, mode: local}\n"));
        assert!(inventory(EndpointChoice::External).contains("mode: external, address: \"10.99.0.11\"}\n"));
    }

    #[test]
    fn known_hosts_names_address_and_name() {
        let hosts = topology::hosts(&Options::new("lab".parse().unwrap()));
        assert_eq!(known_hosts(&[(&hosts[0], "ssh-ed25519 K".into())]), "10.99.0.11,m1 ssh-ed25519 K\n");
    }
}
