//! BGP: one step after the other, each proven by sessions that are Established.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::api::ApiAccess;
use super::execution::Execution;
use super::failure::HostFailure;
use super::wait::Wait;
use crate::cluster::{Host, HostName};
use crate::desired::Peering;
use crate::host::protocol::{Action, Change};
use crate::kube::{Api, LiveBgp};
use crate::plan::{self, LivePeering, PeeringStep, Sessions, Stage};
use crate::report::Event;

/// How long sessions may take. A node's word comes every five seconds, and a router may wait two minutes before it is
/// spoken to again.
const LIMIT: Duration = Duration::from_secs(240);

impl Execution<'_> {
    /// Brings BGP about, in steps that lose no route.
    pub(super) async fn peer(&self, stage: &Stage) -> Result<usize, Vec<HostFailure>> {
        let Some(wanted) = &self.survey.peering else { return Ok(0) };
        let live = self.api.call("look at BGP", async |api| api.bgp().await).await?;
        let nodes: Vec<&Host> = self.cluster.hosts.iter().filter(|host| host.roles.is_node()).collect();
        let steps = plan::peering(&of(live), wanted, &nodes);
        let (mut changed, mut watching) = (0, false);
        for step in steps {
            match step {
                PeeringStep::Apply(objects) => {
                    changed += self.api.apply_objects(&objects, stage.name, self.events).await?;
                }
                PeeringStep::Await(sessions) => {
                    // Where nothing was changed, nothing has to be proven.
                    if changed > 0 || self.made.load(Ordering::Relaxed) > 0 {
                        watching = true;
                        self.established(stage, &sessions).await?;
                    }
                }
                PeeringStep::Label(node, idc) => {
                    let mark = async |api: &Api| api.mark_reflector(&node, idc.as_deref()).await;
                    self.api.call("mark a route reflector", mark).await?;
                    self.tell_peering(stage, Action::Update, marked(&node, idc.as_deref()));
                    changed += 1;
                }
                PeeringStep::ClusterId(node, id) => {
                    let set = async |api: &Api| api.set_cluster_id(&node, id.as_deref()).await;
                    self.api.call("make a node a route reflector", set).await?;
                    self.tell_peering(stage, Action::Update, reflects(&node, id.as_deref()));
                    changed += 1;
                }
                PeeringStep::Remove(names) => {
                    self.api.call("remove BGPPeers", async |api| api.remove_peers(&names).await).await?;
                    for name in &names {
                        self.tell_peering(stage, Action::Remove, format!("remove BGPPeer {name}"));
                    }
                    changed += names.len();
                }
            }
        }
        if watching {
            self.api.call("let Calico be", async |api| api.unwatch_sessions().await).await?;
        }
        Ok(changed)
    }

    fn tell_peering(&self, stage: &Stage, action: Action, resource: String) {
        let change = Change { resource, action, summary: String::new(), diff: None };
        self.events.send(Event::Changed { stage: stage.name.into(), host: "api".into(), change });
    }

    async fn established(&self, stage: &Stage, sessions: &Sessions) -> Result<(), Vec<HostFailure>> {
        let nodes: Vec<&str> = sessions.keys().map(HostName::as_str).collect();
        self.api.call("ask Calico for its sessions", async |api| api.watch_sessions(&nodes).await).await?;
        let wait = Wait {
            stage: stage.name,
            what: "BGP sessions to be Established",
            limit: LIMIT,
            hint: "compare AS, address and password with the router's, and see whether port 179 is open on the way; what \
                   carried routes until now is still there; then run the same command again",
            fleet: self.fleet,
            events: self.events,
        };
        wait.until(async || {
            let up = self.api.call("look at BGP sessions", async |api| api.sessions().await).await?;
            Ok(missing(sessions, &up))
        })
        .await
    }
}

impl ApiAccess<'_> {
    /// What bringing BGP about would change, beside its objects.
    pub(super) async fn pending_peering(&self, wanted: &Peering) -> Result<Vec<Change>, Vec<HostFailure>> {
        let live = self.call("look at BGP", async |api| api.bgp().await).await?;
        let change = |resource: String, action| Change { resource, action, summary: String::new(), diff: None };
        let mut changes = Vec::new();
        for step in plan::peering(&of(live), wanted, &[]) {
            match step {
                PeeringStep::Label(node, idc) => changes.push(change(marked(&node, idc.as_deref()), Action::Update)),
                PeeringStep::Apply(_) | PeeringStep::Await(_) => {}
                PeeringStep::ClusterId(node, id) => {
                    changes.push(change(reflects(&node, id.as_deref()), Action::Update))
                }
                PeeringStep::Remove(names) => {
                    changes.extend(names.iter().map(|name| change(format!("remove BGPPeer {name}"), Action::Remove)));
                }
            }
        }
        Ok(changes)
    }
}

fn of(live: LiveBgp) -> LivePeering {
    let LiveBgp { meshed, peers, cluster_ids, labels } = live;
    LivePeering { meshed, peers, cluster_ids, labels }
}

fn reflects(node: &str, id: Option<&str>) -> String {
    format!("route reflector {node}: {}", id.unwrap_or("none any more"))
}

fn marked(node: &str, idc: Option<&str>) -> String {
    let idc = idc.map_or("none any more".to_owned(), |idc| format!("of data centre {idc:?}"));
    format!("label of route reflector {node}: {idc}")
}

/// Sessions that are not up, one line for each node.
fn missing(wanted: &Sessions, up: &BTreeMap<String, BTreeSet<IpAddr>>) -> Vec<String> {
    let none = BTreeSet::new();
    let line = |(host, with): (&HostName, &BTreeSet<IpAddr>)| {
        let there = up.get(host.as_str()).unwrap_or(&none);
        let down: Vec<String> = with.difference(there).map(ToString::to_string).collect();
        (!down.is_empty()).then(|| format!("{host}: with {}", down.join(", ")))
    };
    wanted.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_are_down_are_named_by_node() {
        let addresses = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<BTreeSet<IpAddr>>();
        let host = |name: &str| HostName::parse(name).unwrap();
        let wanted: Sessions = [
            (host("m1"), addresses(&["10.1.0.1", "10.1.0.2"])),
            (host("n1"), addresses(&["10.1.0.1"])),
            (host("n2"), addresses(&["10.1.0.1"])),
        ]
        .into();
        let up = [("m1".to_owned(), addresses(&["10.1.0.2"])), ("n2".to_owned(), addresses(&["10.1.0.1"]))].into();
        assert_eq!(missing(&wanted, &up), ["m1: with 10.1.0.1", "n1: with 10.1.0.1"]);
    }
}
