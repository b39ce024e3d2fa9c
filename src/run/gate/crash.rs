//! Tells what is still starting from what never will: the second is restarted again and again.

use std::collections::BTreeMap;

use super::super::fleet::{Fleet, Member};
use crate::cluster::HostName;
use crate::host::protocol::{LogOf, Probe, Probed};

/// Restarts during one wait that are no accident any more. Each comes with a pause of systemd's or the kubelet's before
/// it.
const TOO_MANY: u32 = 3;

/// What is restarted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Restarted {
    /// A unit, by systemd.
    Unit(&'static str),
    /// The container of this name in the static pod of this name, by the kubelet.
    StaticPod(&'static str),
}

impl Restarted {
    fn log(self, host: &HostName) -> LogOf {
        match self {
            Self::Unit(name) => LogOf::Unit { name: name.to_owned() },
            Self::StaticPod(name) => LogOf::Container { pod: format!("{name}-{host}"), container: name.to_owned() },
        }
    }
}

/// Restarts on some hosts, as they were when the wait began.
pub(super) struct Crashes {
    pub(super) what: Restarted,
    hosts: Vec<HostName>,
    before: BTreeMap<HostName, u32>,
}

impl Crashes {
    /// Watches `what` on `hosts`.
    pub(super) fn of(what: Restarted, hosts: Vec<HostName>) -> Self {
        Self { what, hosts, before: BTreeMap::new() }
    }

    /// The hosts where it keeps crashing, with its last lines.
    pub(super) async fn look(&mut self, fleet: &Fleet) -> Vec<(HostName, String)> {
        let ask = async |member: &Member| member.probe(Probe::Restarts(self.what.log(&member.host.name))).await;
        let outcomes = fleet.each(|host| self.hosts.contains(&host.name), ask).await;
        let mut crashing = Vec::new();
        for (host, probed) in outcomes.ok {
            let Probed::Restarts { restarts, last_lines } = probed else { continue };
            if self.is_too_many(&host, restarts) {
                crashing.push((host, last_lines));
            }
        }
        crashing
    }

    fn is_too_many(&mut self, host: &HostName, restarts: u32) -> bool {
        let before = self.before.entry(host.clone()).or_insert(restarts);
        // A start by hand counts from zero again, and so does a new pod.
        *before = (*before).min(restarts);
        restarts - *before >= TOO_MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_restarts_during_the_wait_count() {
        let host = HostName::parse("n1").unwrap();
        let mut crashes = Crashes::of(Restarted::Unit("kubelet.service"), vec![host.clone()]);
        let verdicts = [40, 41, 42, 43, 0, 1, 3].map(|restarts| crashes.is_too_many(&host, restarts));
        assert_eq!(verdicts, [false, false, false, true, false, false, true]);
    }
}
