//! The static pods of the control plane.

use minijinja::context;
use minijinja::value::Value;

use super::arguments::Arguments;
use super::context::HostContext;
use super::file::file;
use super::render::render;
use super::size::{self, Share};
use super::state::Resource;
use super::static_pod::manifest;
use super::{Error, digest, etcd};
use crate::cluster::{Endpoint, NetworkPlugin, Role};
use crate::versions::pods::{self, Probes};

const PKI: &str = "/etc/kubernetes/pki";
const API: &str = "kube-apiserver";
const CONTROLLERS: &str = "kube-controller-manager";
const SCHEDULER: &str = "kube-scheduler";
const LOOPBACK: &str = "127.0.0.1";

/// The API server.
pub(super) fn api_server(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    on_masters(host, || vec![pod(host, API, apiserver(host), pods::APISERVER)])
}

/// Controller-manager and scheduler.
pub(super) fn controllers(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    on_masters(host, || {
        vec![
            pod(host, CONTROLLERS, controller_manager(host), pods::CONTROLLER_MANAGER),
            pod(host, SCHEDULER, scheduler(host), pods::scheduler(host.version())),
        ]
    })
}

fn on_masters(
    host: &HostContext<'_>,
    pods: impl FnOnce() -> Vec<Result<Resource, Error>>,
) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is(Role::ControlPlane) {
        return Ok(None);
    }
    let mut resources = Vec::new();
    let mut errors = Vec::new();
    for pod in pods() {
        match pod {
            Ok(resource) => resources.push(resource),
            Err(error) => errors.push(error),
        }
    }
    Error::collect(errors)?;
    Ok(Some(resources))
}

fn pki(file: &str) -> String {
    format!("{PKI}/{file}")
}

fn apiserver(host: &HostContext<'_>) -> Arguments {
    let (cluster, version) = (host.cluster(), host.version());
    let address = host.host.address.to_string();
    let mut flags = Arguments::new(API, version);
    flags.set("advertise-address", &address);
    // Not every address: HAProxy has the same port on loopback and on the virtual address.
    flags.set("bind-address", &address);
    flags.set("secure-port", Endpoint::APISERVER_PORT.to_string());
    if pods::shuts_insecure_port(version) {
        flags.set("insecure-port", "0");
    }
    flags.set("allow-privileged", "true");
    flags.set("authorization-mode", "Node,RBAC");
    flags.set("enable-admission-plugins", "NodeRestriction");
    flags.set("profiling", "false");
    flags.set("client-ca-file", pki("ca.crt"));
    flags.set("tls-cert-file", pki("apiserver.crt"));
    flags.set("tls-private-key-file", pki("apiserver.key"));
    flags.set("kubelet-certificate-authority", pki("ca.crt"));
    flags.set("kubelet-client-certificate", pki("apiserver-kubelet-client.crt"));
    flags.set("kubelet-client-key", pki("apiserver-kubelet-client.key"));
    flags.set("kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname");
    flags.set("etcd-servers", etcd::client_urls(cluster));
    flags.set("etcd-cafile", pki("etcd/ca.crt"));
    flags.set("etcd-certfile", pki("apiserver-etcd-client.crt"));
    flags.set("etcd-keyfile", pki("apiserver-etcd-client.key"));
    flags.set("service-cluster-ip-range", cluster.network.service_cidr.to_string());
    flags.set("service-account-issuer", format!("https://kubernetes.default.svc.{}", cluster.network.domain));
    flags.set("service-account-key-file", pki("sa.pub"));
    flags.set("service-account-signing-key-file", pki("sa.key"));
    flags.set("requestheader-client-ca-file", pki("front-proxy-ca.crt"));
    flags.set("requestheader-allowed-names", "front-proxy-client");
    flags.set("requestheader-username-headers", "X-Remote-User");
    flags.set("requestheader-group-headers", "X-Remote-Group");
    flags.set("requestheader-extra-headers-prefix", "X-Remote-Extra-");
    flags.set("proxy-client-cert-file", pki("front-proxy-client.crt"));
    flags.set("proxy-client-key-file", pki("front-proxy-client.key"));
    if cluster.with_role(Role::ControlPlane).count() > 1 {
        // A connection through HAProxy stays with its server for ever; this spreads clients after one was away.
        flags.set("goaway-chance", "0.001");
    }
    flags
}

/// A kubeconfig for all three purposes, the certificates of the front proxy, and loopback.
fn client(host: &HostContext<'_>, component: &'static str, kubeconfig: &str) -> Arguments {
    let mut flags = Arguments::new(component, host.version());
    flags.set("kubeconfig", kubeconfig);
    flags.set("authentication-kubeconfig", kubeconfig);
    flags.set("authorization-kubeconfig", kubeconfig);
    flags.set("bind-address", LOOPBACK);
    if pods::shuts_plain_port(host.version()) {
        flags.set("port", "0");
    }
    flags.set("leader-elect", "true");
    flags.set("profiling", "false");
    flags
}

fn controller_manager(host: &HostContext<'_>) -> Arguments {
    let cluster = host.cluster();
    let mut flags = client(host, CONTROLLERS, "/etc/kubernetes/controller-manager.conf");
    flags.set("client-ca-file", pki("ca.crt"));
    flags.set("root-ca-file", pki("ca.crt"));
    flags.set("requestheader-client-ca-file", pki("front-proxy-ca.crt"));
    flags.set("service-account-private-key-file", pki("sa.key"));
    // A CA may be kept without its key; the controller-manager does not start when a file that it is told of is missing.
    if host.keys.iter().any(|key| key.path == pki("ca.key")) {
        flags.set("cluster-signing-cert-file", pki("ca.crt"));
        flags.set("cluster-signing-key-file", pki("ca.key"));
        flags.set("cluster-signing-duration", format!("{}s", cluster.pki.leaf_lifetime.as_secs()));
    }
    flags.set("use-service-account-credentials", "true");
    flags.set("cluster-name", cluster.name.to_string());
    flags.set("cluster-cidr", cluster.network.pod_cidr.to_string());
    flags.set("service-cluster-ip-range", cluster.network.service_cidr.to_string());
    match &cluster.network.plugin {
        // Each node's subnet is in its CNI configuration already, or Calico gives it blocks of addresses.
        NetworkPlugin::Bridge | NetworkPlugin::Calico(_) => flags.set("allocate-node-cidrs", "false"),
        NetworkPlugin::None => {
            flags.set("allocate-node-cidrs", "true");
            flags.set("node-cidr-mask-size", cluster.network.node_prefix.to_string());
        }
    }
    flags
}

fn scheduler(host: &HostContext<'_>) -> Arguments {
    client(host, SCHEDULER, "/etc/kubernetes/scheduler.conf")
}

fn pod(
    host: &HostContext<'_>,
    component: &'static str,
    mut arguments: Arguments,
    probes: Probes,
) -> Result<Resource, Error> {
    let settings = &host.cluster().control_plane;
    arguments.merge(&settings.extra_args)?;
    // What the pod reads is what its flags name: a key that it does not use does not restart it.
    let read = host.keys.iter().filter(|key| arguments.names(&key.path));
    let (requests, limits) =
        resources(size::control_plane(component, host.facts, &host.host.roles, settings.quality_of_service));
    let values = context! {
        image => host.context.reference(component)?,
        annotation => digest::ANNOTATION,
        digest => digest::of(read.map(|key| (key.path.as_str(), key.content.as_str()))),
        arguments => arguments.lines(),
        requests,
        limits,
        pki => PKI,
        kubeconfig => arguments.get("kubeconfig").unwrap_or_default(),
        address => host.host.address.to_string(),
        port => Endpoint::APISERVER_PORT,
        liveness => probes.liveness,
        readiness => probes.readiness.unwrap_or_default(),
        seccomp => pods::seccomp_profile(host.version()),
        flexvolume => pods::mounts_flexvolume(host.version()),
        trust_links => trust_links(&host.facts.os_id),
    };
    let content = render(&format!("{component}.yaml.j2"), values)?;
    Ok(file(&manifest(component), 0o600, content, &[]))
}

fn resources(share: Share) -> (Value, Value) {
    match share {
        Share::Burstable(millicpus) => (context! { cpu => format!("{millicpus}m") }, context! {}),
        Share::Guaranteed(amount) => {
            let value = context! { cpu => amount.cpu(), memory => amount.memory() };
            (value.clone(), value)
        }
    }
}

/// Directories beside /etc/ssl/certs that hold what the links in there point at.
fn trust_links(os: &str) -> Vec<&'static str> {
    match os {
        "rhel" | "centos" | "rocky" | "almalinux" | "ol" | "fedora" | "amzn" | "openEuler" | "anolis" | "kylin" => {
            vec!["/etc/pki"]
        }
        "debian" | "ubuntu" => vec!["/usr/share/ca-certificates"],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::QualityOfService;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn manifest_of(fixture: &Fixture, host: &str, component: &str) -> serde_json::Value {
        let state = fixture.state(host);
        let path = manifest(component);
        let parts = [Part::ControlPlane, Part::Controllers].map(|part| state.part(part).unwrap());
        let content = parts.iter().flat_map(|state| &state.resources).find_map(|resource| match resource {
            Resource::File(file) if file.path == path => Some(file.content.clone()),
            _ => None,
        });
        serde_yaml::from_str(&content.unwrap()).unwrap()
    }

    fn digest_of(fixture: &Fixture, component: &str) -> String {
        let manifest = manifest_of(fixture, "m1", component);
        manifest["metadata"]["annotations"][digest::ANNOTATION].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_controller_manager_is_told_of_no_key_that_is_not_there() {
        let mut fixture = Fixture::new(36);
        let told = |fixture: &Fixture| manifest_of(fixture, "m1", CONTROLLERS).to_string().contains("cluster-signing");
        assert!(told(&fixture));
        fixture.keys.hosts.values_mut().for_each(|files| files.retain(|key| !key.path.ends_with("/ca.key")));
        assert!(!told(&fixture));
    }

    #[test]
    fn a_changed_key_restarts_those_who_read_it() {
        let mut fixture = Fixture::new(36);
        let before = [API, CONTROLLERS, SCHEDULER].map(|component| digest_of(&fixture, component));
        for (path, changed) in [
            ("/etc/kubernetes/pki/sa.key", [true, true, false]),
            ("/etc/kubernetes/scheduler.conf", [false, false, true]),
            ("/etc/kubernetes/pki/apiserver.crt", [true, false, false]),
            ("/etc/kubernetes/admin.conf", [false, false, false]),
        ] {
            let old = std::mem::replace(&mut fixture.key("m1", path).content, "new".to_owned());
            let after = [API, CONTROLLERS, SCHEDULER].map(|component| digest_of(&fixture, component));
            for index in 0..3 {
                assert_eq!(after[index] != before[index], changed[index], "{path} {index}");
            }
            fixture.key("m1", path).content = old;
        }
    }

    #[test]
    fn guaranteed_means_limits_equal_to_requests() {
        let mut fixture = Fixture::new(36);
        for class in [QualityOfService::Burstable, QualityOfService::Guaranteed] {
            fixture.change(|parts| parts.control_plane.quality_of_service = class);
            for component in [API, CONTROLLERS, SCHEDULER] {
                let resources = &manifest_of(&fixture, "m1", component)["spec"]["containers"][0]["resources"];
                let guaranteed = class == QualityOfService::Guaranteed;
                assert_eq!(resources["limits"] == resources["requests"], guaranteed, "{component}");
                assert_eq!(resources["limits"]["memory"].is_string(), guaranteed, "{component}");
            }
        }
    }

    #[test]
    fn extra_arguments_reach_their_component_and_wrong_ones_are_all_told() {
        let mut fixture = Fixture::new(36);
        let extra = |pairs: &[(&str, &str, &str)]| {
            let mut all = std::collections::BTreeMap::<String, std::collections::BTreeMap<String, String>>::new();
            for (component, flag, value) in pairs {
                all.entry((*component).to_owned()).or_default().insert((*flag).to_owned(), (*value).to_owned());
            }
            all
        };
        fixture.change(|parts| parts.control_plane.extra_args = extra(&[(API, "v", "4"), (API, "profiling", "true")]));
        let command = manifest_of(&fixture, "m1", API)["spec"]["containers"][0]["command"].to_string();
        assert!(command.contains("--v=4") && command.contains("--profiling=true"), "{command}");
        assert!(!manifest_of(&fixture, "m1", SCHEDULER).to_string().contains("--v=4"));

        let wrong = [(API, "target-ram-mb", "0"), (CONTROLLERS, "pod-eviction-timeout", "5m")];
        fixture.change(|parts| parts.control_plane.extra_args = extra(&wrong));
        let message = fixture.try_state("m1").unwrap_err().to_string();
        assert!(message.contains("kube-apiserver v1.36.0 refuses to start with --target-ram-mb"), "{message}");
        assert!(
            message.contains("kube-controller-manager v1.36.0 refuses to start with --pod-eviction-timeout"),
            "{message}"
        );
    }

    #[test]
    fn a_network_of_somebody_elses_gets_subnets_from_the_controller() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.network.plugin = NetworkPlugin::None);
        let command = manifest_of(&fixture, "m1", CONTROLLERS)["spec"]["containers"][0]["command"].to_string();
        assert!(command.contains("--allocate-node-cidrs=true") && command.contains("--node-cidr-mask-size=24"));
        let network = fixture.state("m1").part(Part::Network).unwrap().resources.clone();
        assert!(!network.iter().any(|resource| matches!(resource, Resource::File(_))), "{network:?}");
    }
}
