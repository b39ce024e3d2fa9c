//! Keeps new pods away from a node, and lets them in again: those that we have cordoned, and no others.
//!
//! An annotation on the Node, written by the same patch, remembers that a cordon is ours and what it is for. So a run
//! that was killed leaves nothing behind but what the next run knows again, and a node that an administrator had
//! cordoned stays so.

use ::kube::api::ListParams;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::node_marks::{ATTEMPTS, on_condition};
use super::nodes::NODES;
use super::operation::Operation;
use super::{FIELD_MANAGER, KubeError, fields};

/// Remembers what we have cordoned a node for, and when.
const CORDONED: &str = "kubewright.dev/cordoned";

/// What a cordon or uncordon found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cordon {
    /// The node was in the other state, and has been changed.
    Changed,
    /// We had cordoned it before; an earlier run ended between that and the uncordon.
    Ours,
    /// The node was so already, and not by us. One that an administrator has cordoned is not ours to open again.
    AlreadySo,
}

/// A node that we have cordoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurCordon {
    /// Name of the node.
    pub node: String,
    /// What for, and since when: `upgrade to v1.36.4, 2026-11-24T15:00:00Z`.
    pub note: String,
}

impl Api {
    /// Keeps new pods away from `node` and remembers `why`, such as `upgrade to v1.36.4`. A node that is cordoned
    /// already is not written.
    pub async fn cordon_ours(&self, node: &str, why: &str) -> Result<Cordon, KubeError> {
        // The second is enough, and the annotation is for people.
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        self.set_cordon(node, Wish::Cordon { note: &format!("{why}, {now}") }).await
    }

    /// Lets new pods onto `node` again when we have cordoned it, and forgets that. Every other node stays as it is.
    pub async fn uncordon_ours(&self, node: &str) -> Result<Cordon, KubeError> {
        self.set_cordon(node, Wish::Uncordon).await
    }

    /// The nodes that we have cordoned, of this run or of one that ended early.
    pub async fn cordoned_by_us(&self) -> Result<Vec<OurCordon>, KubeError> {
        let nodes = self.list(NODES, "the nodes", ListParams::default()).await?;
        let ours = |node: &Value| match state(node) {
            State::Ours(note) => {
                Some(OurCordon { node: node["metadata"]["name"].as_str()?.to_owned(), note: note.to_owned() })
            }
            State::Open | State::Theirs => None,
        };
        Ok(nodes.iter().filter_map(ours).collect())
    }

    async fn set_cordon(&self, node: &str, wish: Wish<'_>) -> Result<Cordon, KubeError> {
        let mut attempts = 0;
        loop {
            let live = self.read_node(node).await?;
            let (found, patch) = decide(wish, &live);
            let Some(patch) = patch else { return Ok(found) };
            // Whoever cordons or opens the node between the read and this is not overruled.
            let patch = on_condition(patch, live["metadata"]["resourceVersion"].clone());
            match self.send(NODES, &format!("Node {node}"), Operation::Merge { name: node, patch: &patch }).await {
                Ok(_) => return Ok(found),
                Err(error) if error.is_conflict() && attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a node is to become.
#[derive(Debug, Clone, Copy)]
enum Wish<'a> {
    Cordon { note: &'a str },
    Uncordon,
}

/// Whose cordon is on a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State<'a> {
    /// Nobody's: pods may come.
    Open,
    /// Ours, with the note that we left.
    Ours(&'a str),
    /// Somebody else's.
    Theirs,
}

pub(super) fn state(node: &Value) -> State<'_> {
    if node["spec"]["unschedulable"] != true {
        return State::Open;
    }
    // Somebody may have opened our cordon by hand, and closed the node again for reasons of his own: then the field
    // is his, whatever the annotation says.
    let owners = fields::other_owners(node, &["spec", "unschedulable"]);
    let may_be_ours = owners.is_empty() || owners.contains(&FIELD_MANAGER);
    match node["metadata"]["annotations"][CORDONED].as_str() {
        Some(note) if may_be_ours => State::Ours(note),
        _ => State::Theirs,
    }
}

/// What is found, and the patch that fulfils the wish where one is needed.
fn decide(wish: Wish<'_>, node: &Value) -> (Cordon, Option<Map<String, Value>>) {
    let has_note = node["metadata"]["annotations"].get(CORDONED).is_some();
    let (found, patch) = match (wish, state(node)) {
        (Wish::Cordon { note }, State::Open) => {
            (Cordon::Changed, json!({"metadata": {"annotations": {CORDONED: note}}, "spec": {"unschedulable": true}}))
        }
        (Wish::Cordon { .. }, State::Ours(_)) => (Cordon::Ours, Value::Null),
        (Wish::Uncordon, State::Ours(_)) => {
            (Cordon::Changed, json!({"metadata": {"annotations": {CORDONED: null}}, "spec": {"unschedulable": null}}))
        }
        // The note alone is left over.
        (_, State::Open | State::Theirs) if has_note => {
            (Cordon::AlreadySo, json!({"metadata": {"annotations": {CORDONED: null}}}))
        }
        (_, State::Open | State::Theirs) => (Cordon::AlreadySo, Value::Null),
    };
    (
        found,
        match patch {
            Value::Object(patch) => Some(patch),
            _ => None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, conflict};
    use super::*;

    fn node(unschedulable: bool, note: Option<&str>, manager: Option<&str>) -> Value {
        let fields = json!({"f:spec": {"f:unschedulable": {}}});
        let managed = manager.map(|manager| json!({"manager": manager, "operation": "Update", "fieldsV1": fields}));
        let mut node = json!({"metadata": {"name": "n1", "resourceVersion": "7", "annotations": {"a": "b"},
            "managedFields": managed.into_iter().collect::<Vec<_>>()}, "spec": {"podCIDR": "10.244.0.0/24"}});
        if unschedulable {
            node["spec"]["unschedulable"] = json!(true);
        }
        if let Some(note) = note {
            node["metadata"]["annotations"][CORDONED] = json!(note);
        }
        node
    }

    #[test]
    fn whose_cordon_it_is_decides_what_is_written() {
        let close = Some(json!({"metadata": {"annotations": {CORDONED: "new"}}, "spec": {"unschedulable": true}}));
        let open = Some(json!({"metadata": {"annotations": {CORDONED: null}}, "spec": {"unschedulable": null}}));
        let forget = Some(json!({"metadata": {"annotations": {CORDONED: null}}}));
        use Cordon::{AlreadySo, Changed, Ours};
        let cases = [
            // Node, then what a cordon and what an uncordon find and write.
            (node(false, None, None), (Changed, close.clone()), (AlreadySo, None)),
            (node(true, Some("old"), None), (Ours, None), (Changed, open.clone())),
            (node(true, Some("old"), Some("kubewright")), (Ours, None), (Changed, open)),
            (node(true, None, Some("kubectl")), (AlreadySo, None), (AlreadySo, None)),
            // Opened by hand, so that our note is stale.
            (node(false, Some("old"), None), (Changed, close), (AlreadySo, forget.clone())),
            // Opened by hand and closed again by hand.
            (node(true, Some("old"), Some("kubectl")), (AlreadySo, forget.clone()), (AlreadySo, forget)),
        ];
        for (node, cordon, uncordon) in cases {
            let words = |(found, patch): (Cordon, Option<Map<String, Value>>)| (found, patch.map(Value::Object));
            assert_eq!(words(decide(Wish::Cordon { note: "new" }, &node)), cordon, "{node}");
            assert_eq!(words(decide(Wish::Uncordon, &node)), uncordon, "{node}");
        }
    }

    const PATCH: &str = "PATCH /api/v1/nodes/n1?&fieldManager=kubewright";

    #[tokio::test]
    async fn a_collision_is_looked_at_anew() {
        let server = Scripted::new([
            ("GET /api/v1/nodes/n1", 200, node(false, None, None)),
            (PATCH, 409, conflict("n1")),
            // An administrator was faster.
            ("GET /api/v1/nodes/n1", 200, node(true, None, Some("kubectl"))),
        ]);
        assert_eq!(server.api().cordon_ours("n1", "upgrade").await.unwrap(), Cordon::AlreadySo);
        let patch = &server.done()[1];
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let note = patch["metadata"]["annotations"][CORDONED].as_str().unwrap();
        assert!(note.starts_with("upgrade, 20") && note.ends_with('Z'), "{note}");
    }

    #[tokio::test]
    async fn collisions_without_end_are_told() {
        let steps = (0..=ATTEMPTS)
            .flat_map(|_| [("GET /api/v1/nodes/n1", 200, node(false, None, None)), (PATCH, 409, conflict("n1"))]);
        let server = Scripted::new(steps);
        let error = server.api().cordon_ours("n1", "upgrade").await.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains("somebody else changes it"), "{error}");
        server.done();
    }
}
