//! The canary, without a scheduler and a kubelet: their part is written by hand.

use kubewright::kube::Canary;
use serde_json::json;

use super::other::Other;
use super::server::Server;

const PODS: &str = "/api/v1/namespaces/kube-system/pods";

pub(crate) async fn a_canary_lives_and_goes(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    let name = "kubewright-canary-bird";
    assert_eq!(api.canary_missing("bird").await.unwrap(), Canary::Waiting("somebody has removed it".into()));
    api.canary_remove("bird").await.unwrap();

    api.canary_start("bird", "busybox:1", None).await.unwrap();
    let first = kubelet.read(PODS, name).await.unwrap();
    assert_eq!(api.canary_missing("bird").await.unwrap(), Canary::Waiting("it is Pending".into()));
    // A run that was killed here begins anew, with another image.
    api.canary_start("bird", "busybox:2", Some(("10.96.0.1", 443))).await.unwrap();
    let second = kubelet.read(PODS, name).await.unwrap();
    assert_ne!(second["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(second["spec"]["initContainers"][0]["image"], "busybox:2");
    let status = json!({"status": {"phase": "Running", "podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}],
        "conditions": [{"type": "Ready", "status": "True"}]}});
    kubelet.merge_status(PODS, name, &status).await;
    let ready = Canary::Ready { ip: "10.244.1.7".parse().unwrap() };
    assert_eq!(api.canary_missing("bird").await.unwrap(), ready);

    api.canary_start("other-bird", "busybox:1", None).await.unwrap();
    assert_eq!(api.canaries().await.unwrap(), ["bird", "other-bird"]);
    api.canary_remove("bird").await.unwrap();
    assert!(kubelet.read(PODS, name).await.is_none());
    assert_eq!(api.canaries_remove().await.unwrap(), ["other-bird"]);
    assert_eq!(api.canaries_remove().await.unwrap(), Vec::<String>::new());
}
