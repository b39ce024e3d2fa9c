//! One run per cluster.

use std::process::Stdio;
use std::time::Duration;

use crate::world::{World, eventually};

pub(crate) fn two_installs_at_once(world: &World) {
    // Something to do that takes a moment: a stopped unit on every node.
    let mut first = world.verb_command("install", &["-o", "json"], &[("KUBEWRIGHT_HOLD_AT", "locked")]);
    let mut first = first.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut refused = None;
    eventually("the second install meets the lock", Duration::from_secs(60), || {
        let second = world.run_verb("install", &[]);
        let locked = second.code == 75;
        refused = locked.then_some(second);
        locked
    });
    let refused = refused.unwrap();
    assert!(refused.stderr.contains("locked by root@") && refused.stderr.contains("install"), "{}", refused.stderr);
    // The hold ends with its standard input.
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    // The lock died with its session.
    world.run_verb("install", &[]).exits(0);
}
