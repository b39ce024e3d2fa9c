//! Members of etcd that are lost, and others in their place.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::world::{Ran, World, eventually};

/// Writes to etcd from beside the hosts.
struct Writer(Child);

impl Writer {
    fn start(world: &World, hosts: &[&str]) -> Self {
        let program = std::env::var("KUBEWRIGHT_WRITER").unwrap_or_else(|_| panic!("KUBEWRIGHT_WRITER is not set"));
        let mut arguments = vec![program, "200".to_owned()];
        for name in ["ca.crt", "healthcheck-client.crt", "healthcheck-client.key"] {
            let text = world.on("m1", &format!("cat /etc/kubernetes/pki/etcd/{name}")).exits(0).stdout;
            arguments.push(world.file(name, &text).display().to_string());
        }
        arguments.extend(hosts.iter().map(|host| format!("https://{}:2379", world.address_of(host))));
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = world.exec_command(&words);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn end(mut self) -> Value {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn members(world: &World, inventory: &std::path::Path) -> Vec<(String, bool)> {
    let ran = world.run_verb_on(inventory, "etcd members", &["-o", "json"]);
    let members: Value = serde_json::from_str(ran.stdout.lines().last().unwrap_or_default()).unwrap_or_default();
    let of = |member: &Value| (member["host"].as_str().unwrap_or_default().to_owned(), member["view"].is_object());
    members.as_array().into_iter().flatten().map(of).collect()
}

/// The inventory without the entry of one host.
fn without(world: &World, file: &str, host: &str) -> std::path::PathBuf {
    let text = std::fs::read_to_string(world.inventory()).unwrap();
    let (head, hosts) = text.split_once("  hosts:\n").unwrap();
    let entries = hosts.split("    - name: ").skip(1).filter(|entry| !entry.starts_with(&format!("\"{host}\"")));
    let entries: String = entries.map(|entry| format!("    - name: {entry}")).collect();
    world.file(file, &format!("{head}  hosts:\n{entries}"))
}

pub(crate) fn a_lost_member_is_replaced_while_a_writer_writes(world: &World) {
    let world = &world.beside("members", &["--masters", "4", "--workers", "1"]);
    let (before, after) = (without(world, "before.yaml", "m4"), without(world, "after.yaml", "m2"));
    world.run_verb_on(&before, "install", &[]).exits(0);
    assert_eq!(members(world, &before).len(), 3);

    // One loses its data, and gets them anew.
    let writer = Writer::start(world, &["m1", "m2", "m3"]);
    std::thread::sleep(Duration::from_secs(5));
    world.on("m3", "systemctl stop etcd; rm -rf /var/lib/etcd/member").exits(0);
    let begun = world.on("m3", "systemctl start etcd");
    assert_ne!(begun.code, 0, "a member without data has begun anew");
    told("healed", &world.run_verb_on(&before, "install", &[]).exits(0));
    report("healed", writer.end());
    world.run_verb_on(&before, "plan", &[]).exits(0);

    // One that nobody trusts any more.
    let writer = Writer::start(world, &["m1", "m2", "m3"]);
    told("replaced in place", &world.run_verb_on(&before, "etcd replace", &["m1"]).exits(0));
    told("led by m1", &world.run_verb_on(&before, "etcd move-leader", &["m1"]).exits(0));
    let defragmented = world.run_verb_on(&before, "etcd defrag", &[]).exits(0);
    println!("{}", defragmented.stdout);
    report("replaced in place, and defragmented", writer.end());

    // One loses its power for ever; another host takes its place.
    let writer = Writer::start(world, &["m1", "m2", "m3", "m4"]);
    std::thread::sleep(Duration::from_secs(5));
    world.lab(&["kill", "m2"], &[]).exits(0);
    let refused = world.run_verb_on(&before, "etcd replace", &["m1"]);
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    told("another host", &world.run_verb_on(&after, "install", &[]).exits(0));
    report("another host", writer.end());
    let names: Vec<_> = members(world, &after).into_iter().map(|(host, _)| host).collect();
    assert_eq!(names, ["m1", "m3", "m4"]);
    assert!(members(world, &after).iter().all(|(_, answers)| *answers));
    eventually("API servers know the new members", Duration::from_secs(60), || {
        let servers = world.on("m1", "grep -o 'etcd-servers=.*' /etc/kubernetes/manifests/kube-apiserver.yaml").stdout;
        servers.contains(&world.address_of("m4")) && !servers.contains(&world.address_of("m2"))
    });
    world.run_verb_on(&after, "plan", &[]).exits(0);
}

fn told(what: &str, ran: &Ran) {
    println!("{what}: {:.1} s", ran.took.as_secs_f64());
}

fn report(what: &str, report: Value) {
    println!("{what}: {report}");
    let _ = std::io::stdout().flush();
    assert_eq!(report["lost"], 0, "acknowledged writes are lost");
    assert!(report["acknowledged"].as_u64().unwrap() > 100, "{report}");
}
