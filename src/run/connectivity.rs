//! Whether the network between pods works: from every node to every other, to a Service, to the DNS. Pods of the
//! installer's own serve for a moment; what is asked of them is asked by the agents, from within those pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::api::ApiAccess;
use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::{Fleet, Member};
use crate::cluster::{Cluster, Host, HostName, Network, NetworkPlugin};
use crate::host::protocol::{Failure, Probe, Probed, Try};
use crate::image::ClusterImage;
use crate::kube::{PROBE_BODY, PROBE_PORT, ProbePod, ProbeService};
use crate::plan::{self, Connectivity, Stage, Tried, TriedNode, Way};
use crate::report::{Event, Events};

/// The container image whose busybox serves.
const IMAGE: &str = "busybox";
/// How long pods may take to start, on nodes that answer: the controllers may just be choosing who leads.
const START: Duration = Duration::from_secs(300);
/// How long a new Service may take to every kube-proxy: one whose API server has just died hears of nothing before it
/// gives that connection up, after 45 s.
const SPREAD: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(1);
const DNS: u16 = 53;
/// Port of the API's Service.
const HTTPS: u16 = 443;

/// What a check of the network works with.
pub(super) struct Check<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) image: &'a ClusterImage,
    pub(super) fleet: &'a Fleet,
    pub(super) api: &'a ApiAccess<'a>,
    pub(super) events: &'a Events,
    /// Stage in whose name it tells what it waits for.
    pub(super) stage: &'a str,
}

impl Check<'_> {
    /// Why there is nothing to try, where that is so.
    pub(super) fn is_impossible(&self) -> Option<&'static str> {
        if self.cluster.network.plugin == NetworkPlugin::None {
            return Some("somebody else's network is none of ours to prove (`network.plugin: none`)");
        }
        let missing = self.image.reference(IMAGE).is_none();
        missing.then_some("the cluster image has no container image called busybox, whose pods would be tried")
    }

    /// Tries every way, and removes its pods whatever comes of it.
    pub(super) async fn run(&self) -> Result<Connectivity, Vec<HostFailure>> {
        if let Some(why) = self.is_impossible() {
            return Err(vec![HostFailure::cluster("check the network", why)]);
        }
        let seen = self.try_all().await;
        let removed = self.api.call("remove the pods of the check", async |api| api.probe_pods_remove().await).await;
        match (seen, removed) {
            (Ok(seen), Ok(())) => Ok(seen),
            (seen, removed) => Err([seen.err(), removed.err()].into_iter().flatten().flatten().collect()),
        }
    }

    async fn try_all(&self) -> Result<Connectivity, Vec<HostFailure>> {
        let image = self.image.reference(IMAGE).unwrap_or_default();
        let start = async |api: &crate::kube::Api| api.probe_pods_start(image).await;
        let service = self.api.call("start pods on every node", start).await?;
        let pods = self.pods().await?;
        let (mut left_out, mut dns) = (Vec::new(), None);
        match self.cluster.network.dns_service_address() {
            Some(address)
                if self.api.call("look for the cluster's DNS", async |api| api.serves_dns(address).await).await? =>
            {
                // Whom pods ask first.
                dns = self.cluster.network.name_servers().first().copied();
            }
            _ => left_out.push("DNS: the cluster has none at the address that pods ask".to_owned()),
        }
        let nodes: Vec<&Host> = self.cluster.hosts.iter().filter(|host| host.roles.is_node()).collect();
        let pairs = plan::pairs(&nodes);
        if pairs.iter().any(|of_one| of_one.len() + 1 < nodes.len()) {
            left_out.push(format!("most pairs of {} nodes: each tries {} others", nodes.len(), pairs[0].len()));
        }
        let answering = |index: &usize| self.fleet.member(&nodes[*index].name).is_some();
        let answers = (0..nodes.len()).filter(answering).collect();
        let until = Instant::now() + SPREAD;
        let places =
            Places { nodes: &nodes, pods: &pods, service, dns, network: &self.cluster.network, answers, until };
        let asked = |host: &Host| nodes.iter().position(|node| node.name == host.name);
        let outcomes = self
            .fleet
            .each(
                |host| host.roles.is_node(),
                async |member| match asked(&member.host) {
                    Some(from) => places.tried_from(member, from, &pairs[from]).await,
                    None => Ok(Vec::new()),
                },
            )
            .await;
        let mut tried = Vec::new();
        for (from, node) in nodes.iter().enumerate() {
            match outcomes.ok.get(&node.name) {
                Some(ways) => tried.extend(ways.iter().cloned()),
                None => {
                    let failed = outcomes.failed.iter().find(|failed| failed.host.as_ref() == Some(&node.name));
                    let why = failed.map_or("it does not answer".to_owned(), |failed| failed.failure.to_string());
                    let broken = |to: &usize| places.broken(from, Some(*to), Way::PodToPod, &why);
                    tried.extend(pairs[from].iter().map(broken));
                }
            }
        }
        let node =
            |host: &&Host| TriedNode { name: host.name.to_string(), idc: host.idc.clone(), rack: host.rack.clone() };
        let cluster = self.cluster.name.to_string();
        Ok(Connectivity { cluster, nodes: nodes.iter().map(node).collect(), tried, left_out })
    }

    /// The pods, once every node that we are connected to has its own, or why one has none.
    async fn pods(&self) -> Result<BTreeMap<String, ProbePod>, Vec<HostFailure>> {
        let deadline = Instant::now() + START;
        let mut told = Vec::new();
        loop {
            let pods = self.api.call("look at the pods of the check", async |api| api.probe_pods().await).await?;
            let answering = self.fleet.members().filter(|member| member.host.roles.is_node());
            let missing: Vec<String> = answering
                .filter_map(|member| match pods.get(member.host.name.as_str()) {
                    Some(ProbePod::Ready { .. }) => None,
                    Some(ProbePod::Waiting(why)) => Some(format!("{}: {why}", member.host.name)),
                    None => Some(format!("{}: it has no pod yet", member.host.name)),
                })
                .collect();
            if missing.is_empty() || Instant::now() >= deadline {
                return Ok(pods);
            }
            if missing != told {
                told.clone_from(&missing);
                let (stage, gate) = (self.stage.to_owned(), "pods that serve on every node".to_owned());
                self.events.send(Event::Waiting { stage, gate, missing });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Execution<'_> {
    /// Proves the network between pods, where this run has changed anything.
    pub(super) async fn prove_network(&self, stage: &Stage) -> Result<usize, Vec<HostFailure>> {
        let (image, stage) = (&self.image.manifest, stage.name);
        let Self { cluster, fleet, api, events, .. } = *self;
        let check = Check { cluster, image, fleet, api, events, stage };
        if self.made.load(Ordering::Relaxed) == 0 || check.is_impossible().is_some() {
            return Ok(0);
        }
        let broken = failures(&check.run().await?);
        if broken.is_empty() { Ok(0) } else { Err(broken) }
    }
}

/// Where ways begin and end.
struct Places<'a> {
    nodes: &'a [&'a Host],
    pods: &'a BTreeMap<String, ProbePod>,
    service: ProbeService,
    dns: Option<IpAddr>,
    network: &'a Network,
    /// Nodes that we are connected to.
    answers: BTreeSet<usize>,
    /// When what does not work by then is broken: kube-proxies hear of a new Service one after the other.
    until: Instant,
}

impl Places<'_> {
    async fn tried_from(&self, member: &Member, from: usize, to: &[usize]) -> Result<Vec<Tried>, Failure> {
        let (path, full) = PROBE_BODY;
        let get = |address: IpAddr, port: u16, path: &str, bytes| {
            let url = format!("http://{}{path}", SocketAddr::new(address, port));
            Try::Get { url, bytes }
        };
        let (mut of_pod, mut of_node, mut tried) = (Vec::new(), Vec::new(), Vec::new());
        for to in to {
            match self.pod(*to) {
                Ok((ip, _)) => {
                    of_pod.push((Some(*to), Way::PodToPod, get(ip, PROBE_PORT, path, full)));
                    of_node.push((Some(*to), Way::NodeToPod, get(ip, PROBE_PORT, "/", 1)));
                }
                Err(why) => {
                    let ways = [Way::PodToPod, Way::NodeToPod];
                    tried.extend(ways.map(|way| self.broken(from, Some(*to), way, why)));
                }
            }
            let (address, port) = (self.nodes[*to].address, self.service.node_port);
            of_node.push((Some(*to), Way::NodePort, get(address, port, "/", 1)));
        }
        of_pod.push((None, Way::Service, get(self.service.address, 80, "/", 1)));
        if let Some(api) = self.network.api_service_address() {
            of_pod.push((None, Way::Api, Try::Connect { to: SocketAddr::new(api, HTTPS) }));
        }
        if let Some(dns) = self.dns {
            let name = format!("kubernetes.default.svc.{}", self.network.domain);
            of_pod.push((None, Way::Dns, Try::Resolve { server: SocketAddr::new(dns, DNS), name }));
        }
        match self.pod(from) {
            Ok((_, uid)) => tried.extend(self.ask(member, from, Some(uid.to_owned()), of_pod).await?),
            Err(why) => tried.extend(of_pod.iter().map(|(to, way, _)| self.broken(from, *to, *way, why))),
        }
        tried.extend(self.ask(member, from, None, of_node).await?);
        tried.sort_by_key(|tried| (tried.way, tried.to.clone()));
        Ok(tried)
    }

    async fn ask(
        &self,
        member: &Member,
        from: usize,
        pod: Option<String>,
        ways: Vec<(Option<usize>, Way, Try)>,
    ) -> Result<Vec<Tried>, Failure> {
        let mut asked: Vec<usize> = (0..ways.len()).collect();
        let mut broken = BTreeMap::new();
        loop {
            let tries = asked.iter().map(|index| ways[*index].2.clone()).collect();
            match member.probe(Probe::Try { pod: pod.clone(), tries }).await? {
                Probed::Tried { failed } => take_in(&mut broken, &asked, failed),
                other => return Err(super::fleet::unexpected("try ways through the network", &other)),
            }
            // To a node that does not even answer us, a way need not be tried again.
            let worth_it = |index: &usize| ways[*index].0.is_none_or(|to| self.answers.contains(&to));
            asked = broken.keys().copied().filter(worth_it).collect();
            if asked.is_empty() || Instant::now() >= self.until {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let one = |(index, (to, way, _)): (usize, &(Option<usize>, Way, Try))| Tried {
            from: self.name(from),
            to: to.map(|to| self.name(to)),
            way: *way,
            broken: broken.get(&index).cloned(),
        };
        Ok(ways.iter().enumerate().map(one).collect())
    }

    /// Address and UID of a node's pod, or why it serves nothing.
    fn pod(&self, node: usize) -> Result<(IpAddr, &str), &str> {
        match self.pods.get(self.nodes[node].name.as_str()) {
            Some(ProbePod::Ready { ip, uid }) => Ok((*ip, uid)),
            Some(ProbePod::Waiting(why)) => Err(why),
            None => Err("no pod has been made for it"),
        }
    }

    fn name(&self, node: usize) -> String {
        self.nodes[node].name.to_string()
    }

    fn broken(&self, from: usize, to: Option<usize>, way: Way, why: &str) -> Tried {
        Tried { from: self.name(from), to: to.map(|to| self.name(to)), way, broken: Some(why.to_owned()) }
    }
}

/// Takes the answers to one round into what is known to be broken: of a way that was not asked for again, the last word
/// stands.
fn take_in(broken: &mut BTreeMap<usize, String>, asked: &[usize], failed: BTreeMap<usize, String>) {
    broken.retain(|index, _| !asked.contains(index));
    broken.extend(failed.into_iter().filter_map(|(place, why)| Some((*asked.get(place)?, why))));
}

/// What a run says of a network that does not work: one failure for each node where broken ways begin.
pub(super) fn failures(seen: &Connectivity) -> Vec<HostFailure> {
    const NAMED: usize = 3;
    let mut of_host: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for tried in &seen.tried {
        let Some(why) = &tried.broken else { continue };
        let to = tried.to.as_ref().map(|to| format!(" on {to}")).unwrap_or_default();
        of_host.entry(&tried.from).or_default().push(format!("{}{to}: {why}", tried.way));
    }
    let failure = |(host, broken): (&str, Vec<String>)| {
        let more = broken.len().saturating_sub(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let named: Vec<_> = broken.into_iter().take(NAMED).collect();
        let what = "reach pods, Services, the API and DNS from it";
        let failure =
            Failure { what: what.into(), why: format!("{}{more}", named.join("; ")), hint: Some(HINT.into()) };
        let host = HostName::parse(host).ok();
        HostFailure { host, failure }
    };
    of_host.into_iter().map(failure).collect()
}

const HINT: &str = "`kubewright check network` shows the whole picture, by rack";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_is_not_tried_again_stays_broken() {
        let failed = |places: &[usize]| places.iter().map(|place| (*place, "no route".to_owned())).collect();
        let mut broken = BTreeMap::new();
        take_in(&mut broken, &[0, 1, 2], failed(&[1, 2]));
        take_in(&mut broken, &[2], failed(&[0]));
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [1, 2]);
        take_in(&mut broken, &[2], failed(&[]));
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn each_node_is_told_with_the_first_of_its_broken_ways() {
        let tried = |from: &str, to: &str, broken: Option<&str>| Tried {
            from: from.into(),
            to: Some(to.into()),
            way: Way::PodToPod,
            broken: broken.map(str::to_owned),
        };
        let none = Some("no answer");
        let all = vec![
            tried("n1", "n2", None),
            tried("n2", "m1", none),
            tried("n2", "m2", none),
            tried("n2", "m3", none),
            tried("n2", "n1", none),
            tried("m1", "n2", none),
        ];
        let seen = Connectivity { cluster: "c".into(), nodes: Vec::new(), tried: all, left_out: Vec::new() };
        assert!(!seen.is_whole());
        let told: Vec<_> = failures(&seen).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("m1: ") && told[0].contains("pod to pod on n2: no answer"), "{told:?}");
        assert!(told[1].contains("on m3: no answer; and 1 more"), "{told:?}");
    }
}
