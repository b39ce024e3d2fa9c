//! How clients reach the API servers: a proxy on each host, kube-vip, or a load balancer.

use super::reader::Reader;

/// Carries the endpoint over.
pub(super) fn carry(reader: &mut Reader<'_>) {
    let name = reader.text("apiserver_loadbalancer_domain_name");
    let (enabled, control_plane) = (reader.is_on("kube_vip_enabled"), reader.switch("kube_vip_controlplane_enabled"));
    let (address, interface) = (reader.text("kube_vip_address"), reader.text("kube_vip_interface"));
    if enabled && control_plane.is_none_or(|(on, _)| on) {
        // What is in front of the API servers is that address, whatever else it is called.
        reader.peek("loadbalancer_apiserver");
        vip(reader, address, interface);
    } else if let Some(balancer) =
        reader.take("loadbalancer_apiserver").filter(|balancer| !balancer.entries().is_empty())
    {
        let address = balancer.get("address").filter(|node| !node.is_empty());
        reader.draft.set("endpoint.mode", "external", Some(&balancer.at));
        let host = name.clone().map_or_else(|| "lb-apiserver.kubernetes.local".into(), |(name, _)| name);
        reader.draft.set("endpoint.host", host, name.as_ref().map(|(_, at)| at));
        if let Some(address) = address.and_then(|node| node.text().map(|text| (text, &node.at))) {
            reader.draft.set("endpoint.address", address.0, Some(address.1));
        }
        if let Some((port, at)) = balancer.get("port").and_then(|node| Some((node.number::<u16>()?, &node.at))) {
            let setting = reader.draft.set("endpoint.port", port, Some(at));
            setting.note = Some("it must lead to port 6443 of the masters".into());
        }
        return;
    }
    if let Some((name, at)) = name {
        reader.draft.set("endpoint.host", name, Some(&at));
    }
}

type Found = Option<(String, crate::migrate::draft::At)>;

fn vip(reader: &mut Reader<'_>, address: Found, interface: Found) {
    let at = address.as_ref().map(|(_, at)| at.clone());
    reader.draft.set("endpoint.mode", "vip", at.as_ref());
    if let Some((address, at)) = address {
        reader.draft.set("endpoint.vip", address, Some(&at));
    }
    if let Some((interface, at)) = interface {
        reader.draft.set("endpoint.interface", interface, Some(&at));
    }
    let change = "the VRRP router id: 1 to 255, used by no other VRRP router of the masters' layer-2 network";
    reader.draft.set("endpoint.routerId", 51, None).change_me = Some(change.into());
}
