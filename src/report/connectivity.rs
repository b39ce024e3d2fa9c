//! The network between pods on one screen: who reaches whom, by node or by rack, and what is broken.

use std::collections::BTreeMap;

use super::{Style, table};
use crate::plan::{Connectivity, Tried, TriedNode, Way};

/// With more nodes than this, racks stand for them.
const NODES: usize = 20;
/// Most broken ways that are listed; the rest is in the JSON.
const LISTED: usize = 40;

/// A table of who reaches whom, and below it what is broken.
pub fn connectivity(seen: &Connectivity, style: Style) -> String {
    let by_node = seen.nodes.len() <= NODES;
    let place = |node: &TriedNode| if by_node { node.name.clone() } else { rack(node) };
    let mut places: Vec<String> = Vec::new();
    for node in &seen.nodes {
        if !places.contains(&place(node)) {
            places.push(place(node));
        }
    }
    let place_of: BTreeMap<&str, String> = seen.nodes.iter().map(|node| (node.name.as_str(), place(node))).collect();
    let mut cells: BTreeMap<(String, String), Count> = BTreeMap::new();
    for tried in &seen.tried {
        let column = match (&tried.to, tried.way) {
            (Some(to), _) => place_of.get(to.as_str()).cloned().unwrap_or_default(),
            (None, way) => way.to_string(),
        };
        let row = place_of.get(tried.from.as_str()).cloned().unwrap_or_default();
        cells.entry((row, column)).or_default().add(tried);
    }
    let elsewhere = [Way::Service, Way::Api, Way::Dns].map(|way| way.to_string());
    let any = |column: &String| cells.keys().any(|(_, there)| there == column);
    let columns: Vec<String> = places.iter().cloned().chain(elsewhere.into_iter().filter(any)).collect();
    let header: Vec<&str> = std::iter::once("FROM \\ TO").chain(columns.iter().map(String::as_str)).collect();
    let rows: Vec<Vec<String>> = places
        .iter()
        .map(|row| {
            let cell = |column: &String| cells.get(&(row.clone(), column.clone())).map_or("·".into(), Count::to_string);
            std::iter::once(row.clone()).chain(columns.iter().map(cell)).collect()
        })
        .collect();
    let mut text = table(&header, &rows);
    for left_out in &seen.left_out {
        text.push_str(&format!("\nnot tried: {left_out}"));
    }
    let broken: Vec<String> = broken(seen);
    for line in broken.iter().take(LISTED) {
        text.push_str(&format!("\n{} {line}", style.red("✗")));
    }
    if broken.len() > LISTED {
        text.push_str(&format!("\n  and {} more; -o json has all of them", broken.len() - LISTED));
    }
    let bad = seen.tried.iter().filter(|tried| tried.broken.is_some()).count();
    let all = seen.tried.len();
    let verdict = match bad {
        0 => style.green(&format!("all {all} ways work")),
        bad => style.red(&format!("{bad} of {all} ways do not work")),
    };
    text.push_str(&format!("\n{}: {verdict}", seen.cluster));
    text
}

/// How many ways there are between two places, and how many of them work.
#[derive(Default)]
struct Count {
    all: usize,
    good: usize,
}

impl Count {
    fn add(&mut self, tried: &Tried) {
        self.all += 1;
        self.good += usize::from(tried.broken.is_none());
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.good == self.all { f.pad("ok") } else { f.pad(&format!("{}/{}", self.good, self.all)) }
    }
}

fn rack(node: &TriedNode) -> String {
    let parts: Vec<&str> = [node.idc.as_deref(), node.rack.as_deref()].into_iter().flatten().collect();
    if parts.is_empty() { "no rack".to_owned() } else { parts.join("/") }
}

/// How a node is cut off.
#[derive(Debug, Clone, Copy)]
struct CutOff<'a> {
    node: &'a str,
    unreached: bool,
    unreaching: bool,
}

/// Nodes that nobody reaches, or that reach nobody. One that still gets to Services is not at fault for a node that is cut
/// off as well: of two nodes each would be the only one that the other does not reach.
fn cut_off(seen: &Connectivity) -> Vec<CutOff<'_>> {
    let is_out = |ways: Vec<&Tried>| !ways.is_empty() && ways.iter().all(|tried| tried.broken.is_some());
    let between = || seen.tried.iter().filter(|tried| tried.to.is_some());
    let of_node = |node: &'_ TriedNode| {
        let unreached = is_out(between().filter(|tried| tried.to.as_ref() == Some(&node.name)).collect());
        let unreaching = is_out(between().filter(|tried| tried.from == node.name).collect());
        (unreached, unreaching)
    };
    let found = seen.nodes.iter().map(|node| {
        let (unreached, unreaching) = of_node(node);
        CutOff { node: &node.name, unreached, unreaching }
    });
    let found: Vec<CutOff<'_>> = found.filter(|one| one.unreached || one.unreaching).collect();
    let is_found = |name: &str| found.iter().any(|one| one.node == name);
    let is_at_fault = |one: &&CutOff<'_>| {
        let mut elsewhere = seen.tried.iter().filter(|tried| tried.to.is_none() && tried.from == one.node).peekable();
        let gets_about = elsewhere.peek().is_some() && elsewhere.all(|tried| tried.broken.is_none());
        let mut others = between().filter_map(|tried| match (tried.from.as_str(), tried.to.as_deref()) {
            (from, Some(to)) if from == one.node => Some(to),
            (from, Some(to)) if to == one.node => Some(from),
            _ => None,
        });
        !(gets_about && others.all(is_found))
    };
    found.iter().filter(is_at_fault).copied().collect()
}

/// One line for each place that is out of reach or out of the world as a whole, one for each other way.
fn broken(seen: &Connectivity) -> Vec<String> {
    let cut_off = cut_off(seen);
    let mut lines = Vec::new();
    for CutOff { node, unreached, unreaching } in &cut_off {
        let what = match (unreached, unreaching) {
            (true, true) => "reaches nobody and is reached by nobody",
            (true, false) => "is reached by nobody",
            _ => "reaches nobody",
        };
        let between = |tried: &&Tried| tried.to.as_deref().is_some_and(|to| tried.from == *node || to == *node);
        let mut reasons: Vec<&str> = Vec::new();
        for why in seen.tried.iter().filter(between).filter_map(|tried| tried.broken.as_deref()) {
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
        reasons.truncate(3);
        lines.push(format!("{node} {what}: {}", reasons.join("; ")));
    }
    for tried in &seen.tried {
        let Some(why) = &tried.broken else { continue };
        let is_told = |name: &str| cut_off.iter().any(|one| one.node == name);
        if is_told(&tried.from) || tried.to.as_deref().is_some_and(is_told) {
            continue;
        }
        let to = tried.to.as_ref().map(|to| format!(" → {to}")).unwrap_or_default();
        lines.push(format!("{}{to}, {}: {why}", tried.from, tried.way));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, rack: &str) -> TriedNode {
        TriedNode { name: name.into(), idc: Some("bj1".into()), rack: Some(rack.into()) }
    }

    /// Every node to every other and to a Service; `broken` says why a way does not work.
    fn seen(nodes: Vec<TriedNode>, broken: impl Fn(&str, &str) -> Option<String>) -> Connectivity {
        let mut tried = Vec::new();
        for from in &nodes {
            for to in nodes.iter().filter(|to| to.name != from.name) {
                let (from, to) = (from.name.clone(), to.name.clone());
                let broken = broken(&from, &to);
                tried.push(Tried { from, to: Some(to), way: Way::PodToPod, broken });
            }
            let broken = broken(&from.name, "");
            tried.push(Tried { from: from.name.clone(), to: None, way: Way::Service, broken });
        }
        Connectivity { cluster: "prod".into(), nodes, tried, left_out: vec!["DNS: none".into()] }
    }

    #[test]
    fn an_unplugged_node_is_its_row_and_its_column() {
        let nodes = vec![node("m1", "r1"), node("m2", "r2"), node("n1", "r1"), node("n2", "r2")];
        let cut = |from: &str, to: &str| (from == "n2" || to == "n2").then(|| "no answer".to_owned());
        insta::assert_snapshot!(connectivity(&seen(nodes, cut), Style::Plain), @r"
        FROM \ TO  m1   m2   n1   n2   Service
        m1         ·    ok   ok   0/1  ok
        m2         ok   ·    ok   0/1  ok
        n1         ok   ok   ·    0/1  ok
        n2         0/1  0/1  0/1  ·    0/1
        not tried: DNS: none
        ✗ n2 reaches nobody and is reached by nobody: no answer
        prod: 7 of 16 ways do not work
        ");
    }

    #[test]
    fn of_two_nodes_the_one_that_is_cut_off_is_named() {
        let nodes = || vec![node("m1", "r1"), node("n1", "r1")];
        let cut = |from: &str, to: &str| (from == "n1" || to == "n1").then(|| "no answer".to_owned());
        let told = |seen: &Connectivity| broken(seen);
        assert_eq!(told(&seen(nodes(), cut)), ["n1 reaches nobody and is reached by nobody: no answer"]);
        // Both get to Services: it is what lies between them.
        let link = |from: &str, to: &str| (!from.is_empty() && !to.is_empty()).then(|| "no answer".to_owned());
        let between = ["m1 → n1, pod to pod: no answer", "n1 → m1, pod to pod: no answer"];
        assert_eq!(told(&seen(nodes(), link)), between);
        // Of more nodes, one that all others miss is named though it gets to Services of its own.
        let three = vec![node("m1", "r1"), node("m2", "r1"), node("n1", "r1")];
        let missed = |from: &str, to: &str| (!to.is_empty() && (from == "n1" || to == "n1")).then(|| "lost".to_owned());
        assert_eq!(told(&seen(three, missed)), ["n1 reaches nobody and is reached by nobody: lost"]);
    }

    #[test]
    fn many_nodes_are_told_by_rack_and_a_single_way_by_its_ends() {
        let nodes: Vec<_> = (0..24).map(|number| node(&format!("n{number}"), &format!("r{}", number / 8))).collect();
        let mtu = |from: &str, to: &str| (from == "n1" && to == "n20").then(|| "only 1 of 2 bytes came".to_owned());
        insta::assert_snapshot!(connectivity(&seen(nodes, mtu), Style::Plain), @r"
        FROM \ TO  bj1/r0  bj1/r1  bj1/r2  Service
        bj1/r0     ok      ok      63/64   ok
        bj1/r1     ok      ok      ok      ok
        bj1/r2     ok      ok      ok      ok
        not tried: DNS: none
        ✗ n1 → n20, pod to pod: only 1 of 2 bytes came
        prod: 1 of 576 ways do not work
        ");
    }
}
