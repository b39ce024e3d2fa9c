//! Stops and removes kubewright's units: those called `kubewright-*`, and those of well-known names whose file says
//! that kubewright wrote it. A distribution's own containerd is left alone.

use std::time::Duration;

use super::super::command::Command;
use super::super::machine::Machine;
use super::super::protocol::{Action, Failure};
use super::super::systemd::{is_template, is_there, show};
use super::{Work, files};
use crate::desired::state::Part;

const DIRECTORY: &str = "/etc/systemd/system";
const SHARED: [&str; 5] =
    ["kubelet.service", "containerd.service", "etcd.service", "haproxy.service", "keepalived.service"];

/// Stops what runs, kubelet and all at once: systemd knows the order.
pub(super) fn stop(work: &mut Work) {
    let machine = work.machine;
    let ours = work.look(ours(machine));
    if ours.is_empty() || !work.look(is_there(machine)) {
        return;
    }
    // Those of a template have no names that could be known; each ends within a minute.
    let ours: Vec<&String> = ours.iter().filter(|name| !is_template(name)).collect();
    let states = work.look(show(machine, "reset", ours.iter().map(|name| name.as_str())));
    for name in ours {
        let Some(state) = states.get(name) else { continue };
        if state.active == "failed" {
            // Otherwise systemd goes on listing it when its file is gone; if it cannot, that is all that happens.
            let _ = machine.system.run(&Command::new("systemctl").args(["reset-failed", "--", name]));
        } else if state.active != "inactive" {
            let command = Command::new("systemctl").args(["stop", "--", name]).deadline(Duration::from_secs(180));
            let summary = format!("{} → stopped", state.active);
            let resource = format!("unit {name}");
            work.step(Part::Kubelet, &resource, Action::Stop, summary, |machine| {
                Work::run(machine, &resource, &command)
            });
        }
    }
}

/// Disables them and removes their files.
pub(super) fn remove(work: &mut Work) {
    let machine = work.machine;
    let ours = work.look(ours(machine));
    let live = work.look(is_there(machine));
    if !ours.is_empty() && live {
        let enabled: Vec<&str> = ours.iter().map(String::as_str).filter(|name| !is_template(name)).collect();
        let command = Command::new("systemctl").args(["disable", "--no-reload", "--"]).args(enabled.iter().copied());
        work.step(Part::Kubelet, "units", Action::Update, format!("disabled: {}", enabled.join(", ")), |machine| {
            Work::run(machine, "units", &command)
        });
    }
    for name in &ours {
        files::remove_path(work, Part::Kubelet, &format!("{DIRECTORY}/{name}"));
    }
    let names = work.look(machine.names(DIRECTORY));
    let mut removed = !ours.is_empty();
    for directory in names.iter().filter(|name| name.ends_with(".d")) {
        let directory = format!("{DIRECTORY}/{directory}");
        let files = work.look(machine.names(&directory));
        for file in files.iter().filter(|file| file.contains("kubewright")) {
            files::remove_path(work, Part::Kubelet, &format!("{directory}/{file}"));
            removed = true;
        }
        // The directory of drop-ins may be ours alone; one with other files stays.
        let _ = std::fs::remove_dir(machine.root.at(&directory));
    }
    if removed && live {
        let reload = Command::new("systemctl").arg("daemon-reload");
        work.step(Part::Kubelet, "systemd", Action::Update, "daemon-reload: units are gone", |machine| {
            Work::run(machine, "systemd", &reload)
        });
    }
}

/// Names of our units, those that others depend upon last.
fn ours(machine: &Machine) -> Result<Vec<String>, Failure> {
    let mut ours = Vec::new();
    for name in machine.names(DIRECTORY)? {
        let unit = name.starts_with("kubewright-") && !name.ends_with(".d") && !name.ends_with(".wants");
        if unit {
            ours.push(name);
        }
    }
    for name in SHARED {
        // A link is another package's, or a mask.
        let path = format!("{DIRECTORY}/{name}");
        let link = machine.root.at(&path).is_symlink();
        if !link && machine.text(&path)?.is_some_and(|text| text.contains("kubewright")) {
            ours.push(name.to_owned());
        }
    }
    Ok(ours)
}
