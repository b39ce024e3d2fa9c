//! Who peers with whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Bgp, HostName, Mesh, Reflectors, Router, ServiceRoutes};
use crate::inventory::named_files::Holds;
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecBgp, SpecMesh, SpecReflectors, SpecRouter, SpecServiceRoutes};
use crate::inventory::tree::Path;

use super::{Context, files, words};

/// The port of BGP.
const PORT: u16 = 179;

/// Converts the section `network.calico.bgp`.
pub(super) fn convert(spec: Option<&SpecBgp>, path: &Path, context: &mut Context<'_>) -> Bgp {
    let (default, none) = (Bgp::default(), SpecBgp::default());
    let spec = spec.unwrap_or(&none);
    let mut racks = BTreeMap::new();
    for (rack, peers) in spec.racks.iter().flatten() {
        let path = path.key("racks").key(rack).key("peers");
        let peers = peers.peers.iter().flatten().enumerate();
        let routers = peers.filter_map(|(index, router)| self::router(router, &path.index(index), context)).collect();
        racks.insert(rack.clone(), routers);
    }
    Bgp {
        as_number: spec.as_number.unwrap_or(default.as_number),
        mesh: match spec.mesh {
            None | Some(SpecMesh::Auto) => Mesh::Auto,
            Some(SpecMesh::On) => Mesh::On,
            Some(SpecMesh::Off) => Mesh::Off,
        },
        racks,
        reflectors: reflectors(spec.route_reflectors.as_ref(), &path.key("routeReflectors"), context),
        services: services(spec.services.as_ref(), &path.key("services"), context),
    }
}

fn router(spec: &SpecRouter, path: &Path, context: &mut Context<'_>) -> Option<Router> {
    let password = spec.password_file.as_ref();
    let password =
        password.and_then(|file| files::named(file, &path.key("passwordFile"), Holds::RouterPassword, context));
    let address = context.take(&path.key("ip"), words::address(spec.ip.as_ref()?))?;
    Some(Router { address, port: spec.port.filter(|port| *port != PORT), as_number: spec.r#as?, password })
}

fn reflectors(spec: Option<&SpecReflectors>, path: &Path, context: &mut Context<'_>) -> Reflectors {
    let Some(spec) = spec else { return Reflectors::None };
    match (spec.per_idc, &spec.hosts) {
        (None, None) => Reflectors::usual(),
        (Some(count), None) => Reflectors::PerIdc(count.into()),
        (None, Some(names)) => {
            let mut hosts = BTreeSet::new();
            for (index, name) in names.iter().enumerate() {
                let parsed = HostName::parse(name)
                    .map_err(|why| Fault::new(format!("{name:?} {why}"), "write the name of a host, as in `hosts`"));
                hosts.extend(context.take(&path.key("hosts").index(index), parsed));
            }
            Reflectors::Hosts(hosts)
        }
        (Some(_), Some(_)) => {
            let fault = Fault::new("`perIdc` and `hosts` are two ways to say the same", "write one of them");
            context.fault(path, fault);
            Reflectors::None
        }
    }
}

fn services(spec: Option<&SpecServiceRoutes>, path: &Path, context: &mut Context<'_>) -> ServiceRoutes {
    let Some(spec) = spec else { return ServiceRoutes::default() };
    let mut networks = |key: &str, texts: &Option<Vec<String>>| {
        words::networks(texts.as_deref().unwrap_or_default(), &path.key(key), context)
    };
    ServiceRoutes {
        cluster: spec.cluster_addresses.unwrap_or_default(),
        external: networks("externalAddresses", &spec.external_addresses),
        load_balancers: networks("loadBalancerAddresses", &spec.load_balancer_addresses),
    }
}
