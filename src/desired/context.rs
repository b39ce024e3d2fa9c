//! What the functions of this module look at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;

use super::Error;
use crate::cluster::{Cluster, DiskUse, Facts, Host, HostName, KubeVersion, Role, ThinPool, Version};
use crate::image::{ClusterImage, ManifestFile};
use crate::pki::{KeyFile, Keys};
use crate::versions::supported;

/// Everything that a desired state follows from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What the inventory declares.
    pub cluster: &'a Cluster,
    /// What is installed.
    pub image: &'a ClusterImage,
    /// Keys and certificates of every host.
    pub keys: &'a Keys,
    /// What every host is.
    pub facts: &'a BTreeMap<HostName, Facts>,
    /// Pod subnets by host, from [`pod_cidrs`](super::pod_cidrs).
    pub pod_cidrs: &'a BTreeMap<HostName, IpNet>,
    /// Files of this machine that hosts get copies of, by their path here. Secrets are among them.
    pub files: &'a BTreeMap<PathBuf, String>,
    /// Objects that are written elsewhere: by the name of an add-on, or of a component of the image.
    pub manifests: &'a BTreeMap<String, Vec<ManifestFile>>,
}

impl<'a> Context<'a> {
    /// The version of Kubernetes.
    pub(super) fn version(&self) -> KubeVersion {
        self.image.kubernetes
    }

    /// The reference of the container image called `name`: the last element of its path, without tag or digest.
    pub(super) fn reference(&self, name: &'static str) -> Result<&'a str, Error> {
        self.image.reference(name).ok_or_else(|| Error::Reference {
            image: self.image.name.clone(),
            name,
            available: self.image.references().collect::<Vec<_>>().join(", "),
        })
    }

    /// The version of `component`, which `user` needs.
    pub(super) fn component_version(&self, component: &'static str, user: &str) -> Result<Version, Error> {
        let found = self.image.component(component).ok_or_else(|| self.missing(component, user))?;
        found.version.parse().map_err(|source| Error::ComponentVersion { component, source })
    }

    fn missing(&self, component: &'static str, user: &str) -> Error {
        let names = self.image.components.iter().map(|component| component.name.as_str());
        Error::Component {
            image: self.image.name.clone(),
            component,
            user: user.to_owned(),
            available: names.collect::<Vec<_>>().join(", "),
        }
    }
}

/// A host, and everything that its state follows from.
pub(super) struct HostContext<'a> {
    /// The whole.
    pub(super) context: &'a Context<'a>,
    /// The host.
    pub(super) host: &'a Host,
    /// What it is.
    pub(super) facts: &'a Facts,
    /// Its keys and certificates.
    pub(super) keys: &'a [KeyFile],
}

impl<'a> HostContext<'a> {
    pub(super) fn new(context: &'a Context<'a>, host: &'a Host) -> Result<Self, Error> {
        supported::check(context.image.kubernetes)?;
        let name = || host.name.clone();
        let facts = context.facts.get(&host.name).ok_or_else(|| Error::NoFacts(name()))?;
        let keys = context.keys.hosts.get(&host.name).ok_or_else(|| Error::NoKeys(name()))?;
        Ok(Self { context, host, facts, keys })
    }

    pub(super) fn cluster(&self) -> &'a Cluster {
        self.context.cluster
    }

    pub(super) fn version(&self) -> KubeVersion {
        self.context.version()
    }

    pub(super) fn is(&self, role: Role) -> bool {
        self.host.roles.contains(role)
    }

    pub(super) fn is_node(&self) -> bool {
        self.host.roles.is_node()
    }

    /// Where the programs of `component` are: `/opt/kubewright/NAME/VERSION/bin`.
    pub(super) fn programs(&self, component: &'static str) -> Result<String, Error> {
        let missing = || self.context.missing(component, self.host.name.as_str());
        let directory = self.context.image.directory(component).ok_or_else(missing)?;
        Ok(format!("{directory}/bin"))
    }

    /// The iptables of the pods' address family.
    pub(super) fn iptables(&self) -> Result<String, Error> {
        let name = if self.cluster().network.pod_cidr.addr().is_ipv6() { "ip6tables" } else { "iptables" };
        Ok(format!("{}/{name}", self.programs("host-tools")?))
    }

    /// The version of `component`.
    pub(super) fn component_version(&self, component: &'static str) -> Result<Version, Error> {
        self.context.component_version(component, self.host.name.as_str())
    }

    /// The thin pool of containerd's snapshots, where the host has one.
    pub(super) fn thin_pool(&self) -> Option<ThinPool> {
        self.host.disks.iter().find(|disk| disk.purpose == DiskUse::Containerd)?.thin_pool()
    }

    /// `PATH` of a daemon: the programs of `components`, then the host's own.
    pub(super) fn path(&self, components: &[&'static str]) -> Result<String, Error> {
        let mut directories = components.iter().map(|name| self.programs(name)).collect::<Result<Vec<_>, _>>()?;
        directories.push("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        Ok(directories.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;

    #[test]
    fn what_is_missing_is_named_with_what_is_there() {
        let fixture = Fixture::new(36);
        let context = fixture.context();
        let error = context.reference("coredns").unwrap_err().to_string();
        assert!(error.contains("no container image called coredns") && error.contains("/pause:"), "{error}");
        let host = HostContext::new(&context, fixture.host("n1")).unwrap();
        let error = host.programs("dropbear").unwrap_err().to_string();
        assert!(error.contains("no component dropbear, which n1 needs") && error.contains("containerd"), "{error}");
    }
}
