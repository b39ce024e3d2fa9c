//! No master is special: any one may lose power.

use std::time::Duration;

use crate::world::{World, eventually};

const HOSTS: [&str; 5] = ["m1", "m2", "m3", "n1", "n2"];

/// Asks the API through the endpoint, with the host's own kubeconfig.
fn answers(world: &World, host: &str) -> bool {
    let config = if host.starts_with('m') { "admin.conf" } else { "kubelet.conf" };
    // A short attempt, because one that hangs on the dead master says nothing of the next.
    let ask = format!("/root/kubectl --kubeconfig /etc/kubernetes/{config} --request-timeout=2s get --raw /readyz");
    world.on(host, &ask).code == 0
}

fn lose_power(world: &World, master: &str) {
    for host in HOSTS {
        world.copy_kubectl_to(host);
        assert!(answers(world, host), "{host} does not reach the API to begin with");
    }
    world.lab(&["kill", master], &[]).exits(0);
    for host in HOSTS.into_iter().filter(|host| *host != master) {
        let took = eventually(&format!("{host} reaches the API without {master}"), Duration::from_secs(15), || {
            answers(world, host)
        });
        println!("{master} lost power: {host} reaches the API after {:.1} s", took.as_secs_f64());
    }
    world.lab(&["start", master], &[]).exits(0);
    eventually(&format!("{master} is back without a run"), Duration::from_secs(240), || {
        world.run_verb("status", &[]).code == 0
    });
}

pub(crate) fn any_master_may_lose_power(world: &World) {
    lose_power(world, "m1");
}

pub(crate) fn every_master_loses_power_in_turn(world: &World) {
    for master in ["m1", "m2", "m3"] {
        lose_power(world, master);
    }
}
