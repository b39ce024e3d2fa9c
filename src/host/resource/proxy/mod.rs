//! kube-proxy's configuration, and what another mode of it has left in the kernel. kube-proxy sees a file that is
//! written, but not one that is put in its place, so it is ended, and its kubelet starts it anew; and it cleans up only
//! when it is asked to, and only where it still runs.
//!
//! A restart that is owed, and which modes may have rules here, is noted before anything changes, and crossed out when it
//! is done: to ask the kernel would take seconds on a node with many services.

mod chains;
mod leftovers;

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::atomic::{self, Attributes};
use super::super::machine::Machine;
use super::super::probe::pod_processes;
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::ProxyConfiguration;

/// How long kube-proxy may take to start in its new mode: its container's restart may be backed off.
const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_secs(1);
/// Where kube-proxy says in which mode it is.
const MODE: &str = "http://127.0.0.1:10249/proxyMode";

pub(in crate::host) const NOTE: &str = "/var/lib/kubewright/kube-proxy";
/// The line of the note that stands for a restart that is owed.
const RESTART: &str = "restart";
/// Its process and its container are called so.
const PROGRAM: &str = "kube-proxy";

/// What is remembered between runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Note {
    /// Modes that may have rules here.
    modes: BTreeSet<String>,
    /// Whether the configuration has changed since kube-proxy was started.
    owes_restart: bool,
}

impl Note {
    fn read(machine: &Machine) -> Result<Self, Failure> {
        let text = machine.text(NOTE)?.unwrap_or_default();
        let (restart, modes): (Vec<&str>, Vec<&str>) = text.split_whitespace().partition(|word| *word == RESTART);
        Ok(Self { modes: modes.into_iter().map(str::to_owned).collect(), owes_restart: !restart.is_empty() })
    }

    fn change(cx: &Context, change: impl FnOnce(&mut Self)) -> Result<(), Failure> {
        let mut note = Self::read(&cx.machine)?;
        change(&mut note);
        let path = cx.machine.root.at(NOTE);
        cx.make_parents(ProxyConfiguration::TITLE, &path)?;
        let restart = note.owes_restart.then(|| RESTART.to_owned());
        let text: String = note.modes.into_iter().chain(restart).map(|line| line + "\n").collect();
        let written = atomic::write(&path, text.as_bytes(), Attributes { mode: 0o644, owner: None });
        written.map_err(|error| Failure::new(ProxyConfiguration::TITLE, error))
    }
}

impl Observe for ProxyConfiguration {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let note = self.note(&cx.machine)?;
        let others: Vec<String> = note.modes.iter().filter(|mode| **mode != self.mode).cloned().collect();
        let mut pending = Vec::new();
        if !note.modes.contains(&self.mode) {
            let (action, summary) = match others.as_slice() {
                [] => (Action::Create, self.mode.clone()),
                others => (Action::Update, format!("{} → {}", others.join(", "), self.mode)),
            };
            let modes: Vec<String> = note.modes.iter().chain([&self.mode]).cloned().collect();
            pending.push(Pending::new(Self::TITLE, action, summary, move |cx| {
                Note::change(cx, |note| note.modes.extend(modes))
            }));
        }
        let file = self.file.observe(cx)?;
        let restarts = note.owes_restart || (!file.is_empty() && is_running(&cx.machine)?);
        pending.extend(file.into_iter().map(|Pending { change, mend }| Pending {
            change,
            mend: Box::new(move |cx| {
                // One that starts later reads what is there then.
                if is_running(&cx.machine)? {
                    Note::change(cx, |note| note.owes_restart = true)?;
                }
                mend(cx)
            }),
        }));
        if restarts {
            let summary = "starts anew: its configuration changed";
            pending.push(Pending::new(PROGRAM, Action::Restart, summary, restart));
        }
        if !others.is_empty() {
            let (resource, summary) = (format!("{} in mode {}", Self::RULES, others.join(", ")), "removed");
            pending.push(Pending::new(resource, Action::Remove, summary, move |cx| {
                self.is_in_force(&cx.machine)?;
                for mode in &others {
                    leftovers::remove(&cx.machine, mode, &self.mode)?;
                }
                Note::change(cx, |note| note.modes = BTreeSet::from([self.mode.clone()]))
            }));
        }
        Ok(pending)
    }
}

fn is_running(machine: &Machine) -> Result<bool, Failure> {
    Ok(!pod_processes(machine, PROGRAM)?.is_empty())
}

/// What it has put into the kernel goes on working without it.
fn restart(cx: &Context) -> Result<(), Failure> {
    for (pid, _) in pod_processes(&cx.machine, PROGRAM)? {
        cx.machine.system.kill(pid).map_err(|error| Failure::new(PROGRAM, error))?;
    }
    Note::change(cx, |note| note.owes_restart = false)
}

impl ProxyConfiguration {
    /// What is noted. Where nothing is, the configuration that is there tells in which mode kube-proxy has run.
    fn note(&self, machine: &Machine) -> Result<Note, Failure> {
        let mut note = Note::read(machine)?;
        if note.modes.is_empty() {
            let text = machine.text(&self.file.path)?.unwrap_or_default();
            note.modes.extend(Self::mode_of(&text));
        }
        Ok(note)
    }

    /// Waits until kube-proxy runs in the new mode: before that it would put back what is removed.
    fn is_in_force(&self, machine: &Machine) -> Result<(), Failure> {
        let began = machine.system.elapsed();
        loop {
            let missing = match machine.system.get(MODE) {
                Ok(mode) if mode.trim() == self.mode => match leftovers::has_rules(machine, &self.mode)? {
                    true => return Ok(()),
                    false => "it has no rules yet".to_owned(),
                },
                Ok(mode) => format!("it says {:?}", mode.trim()),
                Err(error) => error.to_string(),
            };
            if machine.system.elapsed().saturating_sub(began) >= LIMIT {
                let why = format!("kube-proxy is not in mode {} after {} s: {missing}", self.mode, LIMIT.as_secs());
                let hint = "`kubectl -n kube-system logs` of the node's kube-proxy pod says why; then run again: the \
                            rules of the mode before are still there";
                return Err(Failure::new(Self::RULES, why).hint(hint));
            }
            machine.system.pause(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::converge::{converge, diff};
    use super::super::super::testing::Scripted;
    use super::*;
    use crate::desired::state::{File, Owner, Part, PartState, Resource};

    const PATH: &str = "/etc/kubernetes/kube-proxy/config.conf";

    fn parts(mode: &str) -> Vec<PartState> {
        let (path, content) = (PATH.to_owned(), format!("mode: {mode}\n"));
        let (restarts, reloads) = (Vec::new(), Vec::new());
        let file = File { path, mode: 0o644, owner: Owner::root(), content, secret: false, restarts, reloads };
        let resource = Resource::Proxy(ProxyConfiguration { mode: mode.to_owned(), file });
        vec![PartState { part: Part::Proxy, resources: vec![resource] }]
    }

    fn changes(host: &Scripted, mode: &str) -> Vec<String> {
        let found = diff(&host.machine, &parts(mode)).unwrap();
        let changes = found.iter().flat_map(|part| &part.changes);
        changes.map(|change| format!("{:?} {}: {}", change.action, change.resource, change.summary)).collect()
    }

    /// A node with a kube-proxy that runs.
    fn installed() -> Scripted {
        let host = Scripted::new();
        converge(&host.machine, &parts("ipvs"), &mut |_| {}).unwrap();
        host.put("/proc/77/comm", "kube-proxy\n");
        host.put("/proc/77/cgroup", "0::/kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/aa\n");
        host
    }

    #[test]
    fn a_first_configuration_disturbs_nothing_and_stays() {
        let host = Scripted::new();
        assert_eq!(
            changes(&host, "ipvs"),
            ["Create mode of kube-proxy: ipvs".to_owned(), format!("Create file {PATH}: new, mode 0644 root:root"),]
        );
        converge(&host.machine, &parts("ipvs"), &mut |_| {}).unwrap();
        assert_eq!(host.get(NOTE), "ipvs\n", "nothing runs that would have read another one");
        assert!(changes(&host, "ipvs").is_empty());
    }

    #[test]
    fn another_mode_waits_for_kube_proxy_before_it_removes_rules() {
        let host = installed();
        assert_eq!(
            changes(&host, "iptables"),
            [
                "Update mode of kube-proxy: ipvs → iptables".to_owned(),
                format!("Update file {PATH}: content differs"),
                "Restart kube-proxy: starts anew: its configuration changed".to_owned(),
                "Remove rules of kube-proxy in mode ipvs: removed".to_owned(),
            ]
        );
        host.expect("kill 77", "");
        host.expect_failure("get http://127.0.0.1:10249/proxyMode", "refused");
        host.expect("get http://127.0.0.1:10249/proxyMode", "ipvs");
        host.expect("get http://127.0.0.1:10249/proxyMode", "iptables");
        // No program of the firewall is on this host: it cannot have rules, and is asked until the limit.
        for _ in 0..LIMIT.as_secs() {
            host.expect("get http://127.0.0.1:10249/proxyMode", "iptables");
        }
        let failure = converge(&host.machine, &parts("iptables"), &mut |_| {}).unwrap_err().to_string();
        assert!(failure.contains("kube-proxy is not in mode iptables after 180 s: it has no rules yet"), "{failure}");
        // Killed there or turned back: rules of both modes may be there, and whichever is wanted, the other's go.
        assert_eq!(host.get(NOTE), "iptables\nipvs\n");
        assert_eq!(changes(&host, "iptables"), ["Remove rules of kube-proxy in mode ipvs: removed"]);
        assert_eq!(
            changes(&host, "ipvs"),
            [
                format!("Update file {PATH}: content differs"),
                "Restart kube-proxy: starts anew: its configuration changed".to_owned(),
                "Remove rules of kube-proxy in mode iptables: removed".to_owned(),
            ]
        );
    }

    #[test]
    fn without_a_note_the_configuration_tells_the_mode() {
        let host = installed();
        std::fs::remove_file(host.at(NOTE)).unwrap();
        assert!(changes(&host, "ipvs").is_empty());
        assert_eq!(changes(&host, "nftables")[0], "Update mode of kube-proxy: ipvs → nftables");
    }

    #[test]
    fn a_restart_is_owed_until_it_was_made() {
        let host = installed();
        host.expect_killed("kill 77", |_| {});
        let PartState { part, mut resources } = parts("ipvs").remove(0);
        let Resource::Proxy(proxy) = &mut resources[0] else { unreachable!() };
        proxy.file.content.push_str("ipvs: {scheduler: lc}\n");
        let changed = vec![PartState { part, resources }];
        converge(&host.machine, &changed, &mut |_| {}).unwrap_err();
        let again = diff(&host.machine, &changed).unwrap();
        let left: Vec<_> = again.iter().flat_map(|part| &part.changes).map(|change| change.resource.as_str()).collect();
        assert_eq!(left, ["kube-proxy"]);
        host.expect("kill 77", "");
        converge(&host.machine, &changed, &mut |_| {}).unwrap();
        assert!(diff(&host.machine, &changed).unwrap().is_empty());
        host.done();
    }
}
