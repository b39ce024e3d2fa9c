//! Tells a unit that is still starting from one that never will: the second is restarted again and again.

use std::collections::BTreeMap;

use super::super::failure::HostFailure;
use super::super::fleet::{Fleet, Member};
use crate::cluster::{Host, HostName};
use crate::host::protocol::{Failure, Probe, Probed};

/// Restarts during one wait that are no accident any more. Each comes with systemd's own pause before it.
const TOO_MANY: u32 = 3;

/// Restarts of a unit, as they were when the wait began.
pub(super) struct Crashes {
    unit: &'static str,
    has_it: fn(&Host) -> bool,
    before: BTreeMap<HostName, u32>,
}

impl Crashes {
    /// Watches `unit` on the hosts that have it.
    pub(super) fn of(unit: &'static str, has_it: fn(&Host) -> bool) -> Self {
        Self { unit, has_it, before: BTreeMap::new() }
    }

    /// The hosts where the unit keeps crashing, with its last lines.
    pub(super) async fn look(&mut self, fleet: &Fleet) -> Vec<HostFailure> {
        let ask = async |member: &Member| member.probe(Probe::Unit { name: self.unit.to_owned() }).await;
        let outcomes = fleet.each(self.has_it, ask).await;
        let mut failures = Vec::new();
        for (host, probed) in outcomes.ok {
            let Probed::Unit { restarts, last_lines } = probed else { continue };
            if self.is_too_many(&host, restarts) {
                failures.push(HostFailure::of(&host, self.failure(&last_lines)));
            }
        }
        failures
    }

    fn is_too_many(&mut self, host: &HostName, restarts: u32) -> bool {
        let before = self.before.entry(host.clone()).or_insert(restarts);
        // A start by hand counts from zero again.
        *before = (*before).min(restarts);
        restarts - *before >= TOO_MANY
    }

    fn failure(&self, last_lines: &str) -> Failure {
        let unit = self.unit;
        Failure {
            what: format!("unit {unit}"),
            why: format!("it keeps crashing; its last lines:\n{last_lines}"),
            hint: Some(format!("see journalctl -u {unit} on the host; then run the same command again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_restarts_during_the_wait_count() {
        let mut crashes = Crashes::of("kubelet.service", |host| host.roles.is_node());
        let host = HostName::parse("n1").unwrap();
        let verdicts = [40, 41, 42, 43, 0, 1, 3].map(|restarts| crashes.is_too_many(&host, restarts));
        assert_eq!(verdicts, [false, false, false, true, false, false, true]);
    }
}
