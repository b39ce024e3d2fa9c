//! HAProxy, in front of all API servers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use minijinja::context;

use super::context::HostContext;
use super::file::{directory, file};
use super::render::render;
use super::state::Resource;
use super::static_pod::manifest;
use super::{Error, digest};
use crate::cluster::{Cluster, Endpoint, EndpointMode, Role};
use crate::versions::pods;

const DIRECTORY: &str = "/etc/kubernetes/haproxy";
const CA: &str = "/etc/kubernetes/pki/ca.crt";
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// On loopback, without TLS: `/livez` is HAProxy, `/readyz` is HAProxy with an API server behind it.
pub(super) const HEALTH_PORT: u16 = 10247;

/// What HAProxy listens on; none where it does not run.
pub(super) fn binds(host: &HostContext<'_>) -> Option<Vec<SocketAddr>> {
    let endpoint = &host.cluster().endpoint;
    let on = |address| SocketAddr::new(address, endpoint.port);
    match endpoint.mode {
        EndpointMode::Local => Some(vec![on(LOOPBACK)]),
        EndpointMode::Vip { vip, .. } if host.is(Role::ControlPlane) => Some(vec![on(LOOPBACK), on(vip)]),
        EndpointMode::Vip { .. } | EndpointMode::External { .. } => None,
    }
}

pub(super) fn resources(host: &HostContext<'_>, binds: &[SocketAddr]) -> Result<Vec<Resource>, Error> {
    let configuration = format!("{DIRECTORY}/haproxy.cfg");
    let servers = host.cluster().with_role(Role::ControlPlane).map(|master| {
        let address = SocketAddr::new(master.address, Endpoint::APISERVER_PORT).to_string();
        context! { name => master.name.as_str(), address }
    });
    let content = render(
        "haproxy.cfg.j2",
        context! {
            binds => binds.iter().map(ToString::to_string).collect::<Vec<_>>(),
            servers => servers.collect::<Vec<_>>(),
            health_port => HEALTH_PORT,
            check_interval => check_interval(host.cluster()),
            ca => CA,
        },
    )?;
    let ca = host.context.keys.ca.as_str();
    let pod = context! {
        image => host.context.reference("haproxy")?,
        annotation => digest::ANNOTATION,
        digest => digest::of([(configuration.as_str(), content.as_str()), (CA, ca)]),
        directory => DIRECTORY,
        configuration => configuration.as_str(),
        ca => CA,
        health_port => HEALTH_PORT,
        seccomp => pods::seccomp_profile(host.version()),
    };
    let pod = render("kube-haproxy.yaml.j2", pod)?;
    Ok(vec![
        directory(DIRECTORY, 0o755),
        file(&configuration, 0o644, content, &[]),
        file(&manifest("kube-haproxy"), 0o600, pod, &[]),
    ])
}

/// Milliseconds between two checks of one API server by one HAProxy while all is well. Every node checks every API
/// server, and each check is a read through all of etcd, so they are rare and the interval grows with the cluster: 50
/// checks a second and API server at most. What connections meet between checks counts as well.
fn check_interval(cluster: &Cluster) -> usize {
    let nodes = cluster.hosts.iter().filter(|host| host.roles.is_node()).count();
    (nodes * 20).max(10_000)
}
