//! Pods on different nodes reach each other through a service address, routed by IPVS.

use std::time::Duration;

use crate::world::{World, eventually};

pub(crate) fn a_service_answers_through_ipvs(world: &World) {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo.yaml");
    world.kubectl(&["apply", "-f", manifest]);
    world.kubectl(&["rollout", "status", "deployment/hello", "--timeout=180s"]);
    world.kubectl(&["wait", "--for=condition=Ready", "pod", "-l", "app=visitor", "--timeout=180s"]);
    let service = world.kubectl(&["get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}"]);
    let visitor = world.kubectl(&["get", "pods", "-l", "app=visitor", "-o", "jsonpath={.items[0].metadata.name}"]);
    let url = format!("http://{service}/");
    let mut answer = String::new();
    eventually("the service answers", Duration::from_secs(60), || {
        let ran =
            world.exec(&["kubectl", "exec", &visitor, "--", "/bin/busybox", "wget", "-q", "-O", "-", "-T", "5", &url]);
        answer = ran.stdout;
        ran.code == 0
    });
    assert!(answer.contains("hello from"), "{answer}");
    let servers = world.on("n1", "PATH=$PATH:$(echo /opt/kubewright/host-tools/*/bin); ipvsadm -Ln").exits(0).stdout;
    assert!(servers.contains(&format!("{service}:80 rr")), "{servers}");
    world.kubectl(&["delete", "--wait=false", "-f", manifest]);
}
