//! kube-proxy's configuration, and what another mode of it has left in the kernel. kube-proxy itself cleans up only when
//! it is asked to, and only where it still runs.
//!
//! Which modes may have rules here is noted before the configuration changes, and crossed out when they are gone: to ask
//! the kernel would take seconds on a node with many services.

mod chains;
mod leftovers;

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::atomic::{self, Attributes};
use super::super::machine::{Machine, STATE};
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::ProxyConfiguration;

/// How long kube-proxy may take to start in its new mode: its container's restart may be backed off.
const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_secs(1);
/// Where kube-proxy says in which mode it is.
const MODE: &str = "http://127.0.0.1:10249/proxyMode";

fn note() -> String {
    format!("{STATE}/proxy-modes")
}

impl Observe for ProxyConfiguration {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let text = cx.machine.text(&note())?.unwrap_or_default();
        let noted: BTreeSet<String> = text.split_whitespace().map(str::to_owned).collect();
        let others: Vec<String> = noted.iter().filter(|mode| **mode != self.mode).cloned().collect();
        let mut pending = Vec::new();
        if !noted.contains(&self.mode) {
            let (action, summary) = match others.as_slice() {
                [] => (Action::Create, self.mode.clone()),
                others => (Action::Update, format!("{} → {}", others.join(", "), self.mode)),
            };
            let all = noted.into_iter().chain([self.mode.clone()]).collect();
            pending.push(Pending::new(Self::TITLE, action, summary, move |cx| write(cx, &all)));
        }
        pending.extend(self.file.observe(cx)?);
        if !others.is_empty() {
            let (resource, summary) = (format!("{} in mode {}", Self::RULES, others.join(", ")), "removed");
            pending.push(Pending::new(resource, Action::Remove, summary, move |cx| {
                self.is_in_force(&cx.machine)?;
                for mode in &others {
                    leftovers::remove(&cx.machine, mode, &self.mode)?;
                }
                write(cx, &BTreeSet::from([self.mode.clone()]))
            }));
        }
        Ok(pending)
    }
}

impl ProxyConfiguration {
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

fn write(cx: &Context, modes: &BTreeSet<String>) -> Result<(), Failure> {
    let path = cx.machine.root.at(&note());
    cx.make_parents(ProxyConfiguration::TITLE, &path)?;
    let text = modes.iter().map(|mode| format!("{mode}\n")).collect::<String>();
    let written = atomic::write(&path, text.as_bytes(), Attributes { mode: 0o644, owner: None });
    written.map_err(|error| Failure::new(ProxyConfiguration::TITLE, error))
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

    fn installed() -> Scripted {
        let host = Scripted::new();
        converge(&host.machine, &parts("ipvs"), &mut |_| {}).unwrap();
        host
    }

    #[test]
    fn a_first_configuration_disturbs_nothing_and_stays() {
        let host = Scripted::new();
        assert_eq!(
            changes(&host, "ipvs"),
            ["Create mode of kube-proxy: ipvs".to_owned(), format!("Create file {PATH}: new, mode 0644 root:root"),]
        );
        let host = installed();
        assert_eq!(host.get(&note()), "ipvs\n");
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
                "Remove rules of kube-proxy in mode ipvs: removed".to_owned(),
            ]
        );
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
        assert_eq!(host.get(&note()), "iptables\nipvs\n");
        assert_eq!(changes(&host, "iptables"), ["Remove rules of kube-proxy in mode ipvs: removed"]);
        assert_eq!(
            changes(&host, "ipvs"),
            [
                format!("Update file {PATH}: content differs"),
                "Remove rules of kube-proxy in mode iptables: removed".to_owned(),
            ]
        );
    }
}
