//! The gate that a lease is alive: somebody holds it, and renews it while we look.
//!
//! Its `renewTime` is by the holder's clock, which may be off. So it is not compared with any other time: a lease is
//! alive when that time moves between two looks of one wait.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::Api;
use super::operation::Operation;
use super::watch::Watch;
use super::{KubeError, concurrency};

/// The components of which one instance leads, by its lease in kube-system.
const LEADERS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];
/// Their lease runs out after this, and is renewed every few seconds.
const LEADER_LIMIT: Duration = Duration::from_secs(15);
/// A kubelet renews its node's lease every ten seconds; the node counts as lost after forty.
pub(super) const NODE_LIMIT: Duration = Duration::from_secs(40);

impl Api {
    /// What is missing until a controller-manager and a scheduler lead, and renew their leases. Lines about a holder
    /// begin with its host. One observation of several: the first can never be enough.
    pub async fn leaders_missing(&self, watch: &Watch) -> Result<Vec<String>, KubeError> {
        let work = LEADERS.iter().map(|name| self.lease_missing("kube-system", name, LEADER_LIMIT, watch)).collect();
        let found = concurrency::all(work).await;
        let mut missing = Vec::new();
        for (name, gap) in LEADERS.iter().zip(found) {
            missing.extend(gap?.map(|gap| match gap.host {
                Some(host) => format!("{host}: {name}: {}", gap.text),
                None => format!("{name}: {}", gap.text),
            }));
        }
        Ok(missing)
    }

    /// Why a lease is not known to be alive.
    pub(super) async fn lease_missing(
        &self,
        namespace: &str,
        name: &str,
        limit: Duration,
        watch: &Watch,
    ) -> Result<Option<Gap>, KubeError> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
        let object = format!("Lease {namespace}/{name}");
        match self.send(&path, &object, Operation::Read { name }).await {
            Ok(lease) => Ok(gap(&lease, &object, limit, watch, Instant::now())),
            Err(error) if error.is_not_found() => Ok(Some(Gap { host: None, text: "it has no lease yet".into() })),
            Err(error) => Err(error),
        }
    }
}

/// What a lease lacks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Host of its holder.
    host: Option<String>,
    /// What is missing.
    pub(super) text: String,
}

fn gap(lease: &Value, key: &str, limit: Duration, watch: &Watch, now: Instant) -> Option<Gap> {
    let text = |key: &str| lease["spec"][key].as_str().unwrap_or_default();
    let (holder, renewed) = (text("holderIdentity"), text("renewTime"));
    let seen = watch.look(key, &format!("{holder} {renewed}"), now);
    if holder.is_empty() {
        return Some(Gap { host: None, text: "nobody holds its lease".into() });
    }
    let text = if !seen.moved {
        "its lease has not been renewed since we look".to_owned()
    } else if seen.unchanged > limit {
        format!("its lease has not been renewed for more than {} s", limit.as_secs())
    } else {
        return None;
    };
    Some(Gap { host: Some(host(holder).to_owned()), text })
}

/// The host in `HOST_UUID`.
fn host(holder: &str) -> &str {
    holder.split_once('_').map_or(holder, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Scripted, not_found};
    use super::*;

    fn lease(holder: &str, renewed: &str) -> Value {
        json!({"spec": {"holderIdentity": holder, "renewTime": renewed}})
    }

    #[test]
    fn a_lease_is_alive_while_it_moves() {
        let (watch, start) = (Watch::default(), Instant::now());
        let look = |lease: &Value, seconds: u64| {
            gap(lease, "a", LEADER_LIMIT, &watch, start + Duration::from_secs(seconds)).map(|gap| gap.text)
        };
        let first = lease("m1_f3c1", "2026-11-24T15:00:00.000000Z");
        // However old or young it calls itself, one look proves nothing.
        assert_eq!(look(&first, 0).unwrap(), "its lease has not been renewed since we look");
        assert_eq!(look(&first, 3).unwrap(), "its lease has not been renewed since we look");
        let next = lease("m1_f3c1", "2026-11-24T15:00:02.000000Z");
        assert_eq!(look(&next, 4), None);
        assert_eq!(look(&next, 19), None);
        assert_eq!(look(&next, 20).unwrap(), "its lease has not been renewed for more than 15 s");
        assert_eq!(look(&lease("", "2026-11-24T15:00:02.000000Z"), 21).unwrap(), "nobody holds its lease");
        // Another one takes over.
        assert_eq!(look(&lease("m2_aaaa", "2026-11-24T15:00:30.000000Z"), 22), None);
    }

    #[tokio::test]
    async fn the_holder_is_named() {
        let path = |name: &str| format!("GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{name}");
        let (manager, scheduler) = (path("kube-controller-manager"), path("kube-scheduler"));
        let server = Scripted::new([
            (manager.as_str(), 200, lease("m1_f3c1", "1")),
            (scheduler.as_str(), 404, not_found("kube-scheduler")),
            (manager.as_str(), 200, lease("m1_f3c1", "2")),
            (scheduler.as_str(), 200, lease("m2_0000", "1")),
        ]);
        let (api, watch) = (server.api(), Watch::default());
        assert_eq!(
            api.leaders_missing(&watch).await.unwrap(),
            [
                "m1: kube-controller-manager: its lease has not been renewed since we look",
                "kube-scheduler: it has no lease yet"
            ]
        );
        assert_eq!(
            api.leaders_missing(&watch).await.unwrap(),
            ["m2: kube-scheduler: its lease has not been renewed since we look"]
        );
        server.done();
    }
}
