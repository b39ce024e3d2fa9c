//! What Calico makes of its objects on each node: a configuration of BIRD.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use serde_json::Value;

use super::fabric::Node;
use crate::cluster::REFLECTOR;
use crate::plan::LivePeering;

/// The objects, and what is noted at the nodes.
pub(super) struct Calico {
    labels: BTreeMap<String, BTreeMap<String, String>>,
    objects: BTreeMap<(String, String), Value>,
    cluster_ids: BTreeMap<String, String>,
    nodes: BTreeMap<String, IpAddr>,
    pool: &'static str,
    own_as: u64,
}

/// A session that a node is to have.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    protocol: String,
    lines: Vec<String>,
}

impl Calico {
    pub(super) fn new(nodes: &[Node], pool: &'static str, own_as: u64) -> Self {
        let nodes = nodes.iter().map(|node| (node.name.clone(), node.address)).collect();
        let (labels, objects, cluster_ids) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { labels, objects, cluster_ids, nodes, pool, own_as }
    }

    pub(super) fn apply(&mut self, object: Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.objects.insert((text(&object["kind"]), text(&object["metadata"]["name"])), object);
    }

    pub(super) fn remove_peer(&mut self, name: &str) {
        self.objects.remove(&("BGPPeer".to_owned(), name.to_owned())).unwrap();
    }

    pub(super) fn set_cluster_id(&mut self, node: String, id: Option<String>) {
        match id {
            Some(id) => drop(self.cluster_ids.insert(node, id)),
            None => drop(self.cluster_ids.remove(&node)),
        }
    }

    pub(super) fn reflectors(&self) -> Vec<&str> {
        self.cluster_ids.keys().map(String::as_str).collect()
    }

    pub(super) fn live(&self) -> LivePeering {
        let peers = self.of("BGPPeer").map(|(name, _)| name.to_owned()).collect();
        let label =
            |(node, labels): (&String, &BTreeMap<String, String>)| Some((node.clone(), labels.get(REFLECTOR)?.clone()));
        let labels = self.labels.iter().filter_map(label).collect();
        LivePeering { meshed: self.is_meshed(), peers, cluster_ids: self.cluster_ids.clone(), labels }
    }

    /// Labels that are ours from the inventory; that of reflectors is another's work.
    pub(super) fn mark(&mut self, node: String, marks: BTreeMap<String, String>) {
        let labels = self.labels.entry(node).or_default();
        labels.retain(|key, _| key == REFLECTOR);
        labels.extend(marks);
    }

    pub(super) fn set_label(&mut self, node: &str, idc: Option<String>) {
        let labels = self.labels.get_mut(node).unwrap();
        match idc {
            Some(idc) => drop(labels.insert(REFLECTOR.to_owned(), idc)),
            None => drop(labels.remove(REFLECTOR)),
        }
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let ours = self.objects.iter().filter(move |((of, _), _)| of == kind);
        ours.map(|((_, name), object)| (name.as_str(), &object["spec"]))
    }

    fn is_meshed(&self) -> bool {
        self.of("BGPConfiguration").all(|(_, spec)| spec["nodeToNodeMeshEnabled"] != false)
    }

    /// Whether the labels of a node fit a selector.
    fn fits(&self, selector: &Value, node: &str) -> bool {
        let labels = &self.labels[node];
        let selector = selector.as_str().unwrap();
        let key = |text: &str| Some(text.strip_prefix("has(")?.strip_suffix(')')?.to_owned());
        match (key(selector), selector.strip_prefix('!').and_then(key), selector.split_once(" == ")) {
            (Some(key), _, _) => labels.contains_key(&key),
            (_, Some(key), _) => !labels.contains_key(&key),
            (_, _, Some((key, value))) => labels.get(key).is_some_and(|label| *label == value.trim_matches('\'')),
            _ => panic!("a selector that the test does not know: {selector}"),
        }
    }

    /// The sessions of a node: each BGPPeer counts on both of its ends.
    fn sessions(&self, own: &str) -> Vec<Session> {
        let mut sessions = BTreeMap::new();
        for (_, spec) in self.of("BGPPeer") {
            if let Some(router) = spec["peerIP"].as_str() {
                if self.fits(&spec["nodeSelector"], own) {
                    let address: IpAddr = router.parse().unwrap();
                    sessions.entry(address).or_insert_with(|| self.session("Node", own, address, None, spec));
                }
                continue;
            }
            for (other, address) in self.nodes.iter().filter(|(other, _)| *other != own) {
                let ends = |node: &str, peer: &str| {
                    self.fits(&spec["nodeSelector"], node) && self.fits(&spec["peerSelector"], peer)
                };
                if ends(own, other) || ends(other, own) {
                    sessions.entry(*address).or_insert_with(|| self.session("Node", own, *address, Some(other), spec));
                }
            }
        }
        // The mesh comes first, as in Calico's own configuration.
        let mut all = Vec::new();
        if self.is_meshed() && !self.cluster_ids.contains_key(own) {
            let meshed = self.nodes.iter().filter(|(name, _)| *name != own && !self.cluster_ids.contains_key(*name));
            all.extend(meshed.map(|(other, address)| self.session("Mesh", own, *address, Some(other), &Value::Null)));
        }
        all.extend(sessions.into_values());
        all
    }

    fn session(&self, kind: &str, own: &str, address: IpAddr, other: Option<&String>, spec: &Value) -> Session {
        let own_address = self.nodes[own];
        let peer_as = spec["asNumber"].as_u64().unwrap_or(self.own_as);
        let mut lines = vec![format!("neighbor {address} as {peer_as};")];
        // One of the two has to begin.
        if kind == "Mesh" && address.to_string() > own_address.to_string() {
            lines.push("passive on;".to_owned());
        }
        let id_of = |node: &str| self.cluster_ids.get(node);
        if let Some(id) =
            id_of(own).filter(|id| peer_as == self.own_as && other.and_then(|other| id_of(other)) != Some(*id))
        {
            lines.push(format!("rr client; rr cluster id {id};"));
        }
        if let Some(count) = spec["numAllowedLocalASNumbers"].as_u64() {
            lines.push(format!("allow local as {count};"));
        }
        let (mut filter, mut import) = (String::new(), String::new());
        for name in spec["filters"].as_array().into_iter().flatten() {
            let spec = &self.objects[&("BGPFilter".to_owned(), name.as_str().unwrap().to_owned())]["spec"];
            for rule in spec["exportV4"].as_array().unwrap() {
                assert_eq!((&rule["action"], &rule["source"]), (&"Reject".into(), &"RemotePeers".into()));
                filter.push_str("if source = RTS_BGP then reject; ");
            }
            for rule in spec["importV4"].as_array().into_iter().flatten() {
                import.push_str(&match (rule["action"].as_str().unwrap(), rule["matchOperator"].as_str()) {
                    ("Accept", Some("In")) => format!("if net ~ {} then accept; ", rule["cidr"].as_str().unwrap()),
                    ("Reject", None) => "reject; ".to_owned(),
                    _ => panic!("a rule that the test does not know: {rule}"),
                });
            }
        }
        let export = format!("export filter {{ {filter}to_peers(); reject; }};");
        lines.push(format!("ipv4 {{ import filter {{ {import}accept; }}; {export} add paths on; }};"));
        Session { protocol: format!("{kind}_{}", address.to_string().replace('.', "_")), lines }
    }

    /// The configuration of a node.
    pub(super) fn configuration(&self, node: &Node) -> String {
        let Node { name, address, block, .. } = node;
        let (pool, own_as) = (self.pool, self.own_as);
        let mut text = format!(
            "router id {address};
protocol device {{ scan time 2; }}
protocol direct {{ ipv4; interface -\"cali*\", \"*\"; }}
protocol kernel {{ learn; persist; scan time 2; merge paths on; ipv4 {{ import all; export filter {{ accept; }}; }}; }}
protocol static {{ ipv4; route {block} blackhole; }}
function to_peers() {{
  if (net = {block}) then accept;
  if (net ~ {block}) then reject;
  if (net ~ {pool}) then accept;
  reject;
}}
template bgp peer {{
  local {address} as {own_as}; multihop; graceful restart;
  connect delay time 1; connect retry time 2; error wait time 1, 5;
}}
"
        );
        for Session { protocol, lines } in self.sessions(name) {
            writeln!(text, "protocol bgp {protocol} from peer {{ {} }}", lines.join(" ")).unwrap();
        }
        text
    }
}
