//! The other two ways to a cluster's endpoint, each on hosts that were reset before.

use std::path::Path;
use std::time::Duration;

use crate::world::{World, eventually};

const LOCAL: &str = "mode: local}";
const HOSTS: [&str; 5] = ["m1", "m2", "m3", "n1", "n2"];

/// Whether the API answers a host at `address`, with the certificate that the endpoint must have.
fn answers(world: &World, host: &str, address: &str) -> bool {
    let config = if host.starts_with('m') { "admin.conf" } else { "kubelet.conf" };
    let ask = format!(
        "/root/kubectl --kubeconfig /etc/kubernetes/{config} --server https://{address}:6443 \
         --tls-server-name kubernetes --request-timeout=4s get --raw /readyz"
    );
    world.on(host, &ask).code == 0
}

fn install(world: &World, inventory: &Path) {
    let ran = world.run_verb_on(inventory, "install", &[]).exits(0);
    println!("installed in {:.1} s", ran.took.as_secs_f64());
    for host in HOSTS {
        world.copy_kubectl_to(host);
    }
}

pub(crate) fn a_virtual_address_moves_to_a_living_master(world: &World) {
    const VIRTUAL: &str = "10.99.0.10";
    let inventory = world.inventory_with("vip.yaml", LOCAL, "mode: vip, vip: \"10.99.0.10\", routerId: 99}");
    install(world, &inventory);
    eventually("every host reaches the virtual address", Duration::from_secs(60), || {
        HOSTS.iter().all(|host| answers(world, host, VIRTUAL))
    });
    let owners = || -> Vec<&str> {
        let has = |host: &&str| world.on(host, &format!("ip -o addr show to {VIRTUAL}")).stdout.contains(VIRTUAL);
        HOSTS.into_iter().filter(has).collect()
    };
    let owner = owners();
    assert_eq!(owner.len(), 1, "the virtual address is on {owner:?}");
    let owner = owner[0];
    world.lab(&["kill", owner], &[]).exits(0);
    for host in HOSTS.into_iter().filter(|host| *host != owner) {
        let took = eventually(&format!("{host} reaches the API without {owner}"), Duration::from_secs(15), || {
            answers(world, host, VIRTUAL)
        });
        println!(
            "{owner}, which had the address, lost power: {host} reaches the API after {:.1} s",
            took.as_secs_f64()
        );
    }
    world.lab(&["start", owner], &[]).exits(0);
    eventually(&format!("{owner} is back without a run"), Duration::from_secs(240), || {
        world.run_verb_on(&inventory, "status", &[]).code == 0
    });
    assert_eq!(owners().len(), 1, "the virtual address is on {:?}", owners());
    world.run_verb_on(&inventory, "reset", &["--yes"]).exits(0);
}

pub(crate) fn an_external_endpoint_is_left_to_others(world: &World) {
    // Whoever runs the balancer; here it is one master, which is all that the nodes can see of it.
    let inventory = world.inventory_with("external.yaml", LOCAL, "mode: external, address: \"10.99.0.12\"}");
    install(world, &inventory);
    for host in HOSTS {
        assert!(answers(world, host, "10.99.0.12"), "{host} does not reach the API");
        world.on(host, "test ! -e /etc/kubernetes/manifests/kube-haproxy.yaml").exits(0);
    }
    let server =
        world.on("n1", "grep server: /etc/kubernetes/kubelet.conf; grep 10.99.0.12 /etc/hosts").exits(0).stdout;
    assert!(server.contains("kubewright.internal:6443") && server.lines().count() == 2, "{server}");
    world.run_verb_on(&inventory, "plan", &[]).exits(0);
    world.run_verb_on(&inventory, "reset", &["--yes"]).exits(0);
}
