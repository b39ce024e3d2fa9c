//! One run per cluster.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{World, eventually};

pub(crate) fn two_installs_at_once(world: &World) {
    let mut first = world.verb_command("install", &[], &[("KUBEWRIGHT_HOLD_AT", "locked")]);
    let mut first = first.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // A second install that came before the first has the lock would take it away from that.
    a_run_is_at_work(world);
    let plan = world.run_verb("plan", &[]).exits(0);
    assert!(plan.stderr.contains("another run is at work"), "{}", plan.stderr);
    let refused = world.run_verb("install", &[]).exits(75);
    assert!(refused.stderr.contains("locked by root@") && refused.stderr.contains("install"), "{}", refused.stderr);
    // The hold ends with its standard input.
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    // The lock died with its session.
    world.run_verb("install", &[]).exits(0);
}

/// Waits for a run that was begun beside this one. A plan looks at the lock and never takes it.
#[track_caller]
pub(crate) fn a_run_is_at_work(world: &World) {
    eventually("a run holds the lock", Duration::from_secs(60), || {
        world.run_verb("plan", &[]).stderr.contains("another run is at work")
    });
}

pub(crate) fn an_interrupted_run_says_so(world: &World) {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut run = world.verb_command("install", &["-o", "json"], &[]);
        let run = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut run = run.spawn().unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(run.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        assert!(first.contains("run-started"), "{first}");
        kill(Pid::from_raw(-i32::try_from(run.id()).unwrap()), signal).unwrap();
        let mut said = String::new();
        run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(code), "{said}");
        assert!(said.contains("interrupted; run the same command again"), "{said}");
    }
    world.run_verb("install", &[]).exits(0);
}
