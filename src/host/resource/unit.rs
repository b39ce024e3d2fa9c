//! A systemd unit: enabled or not, running or not, and restarted when files that it reads have changed.

use super::super::command::Command;
use super::super::protocol::{Action, Failure};
use super::super::systemd::{self, UnitState};
use super::{Context, Observe, Observed, Pending, units};
use crate::desired::state::Unit;

impl Observe for Unit {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        if !systemd::is_there(&cx.machine)? {
            let hint = "kubewright needs hosts whose process 1 is systemd";
            return Err(Failure::new(self.title(), "systemd does not run here").hint(hint));
        }
        let state = cx.units()?.get(&self.name).cloned().unwrap_or_default();
        let mut pending = Vec::new();
        pending.extend(self.installed(&state, cx.is_wanted(&self.name)?));
        pending.extend(if self.running { self.up(cx, &state) } else { self.down(&state) });
        Ok(pending)
    }
}

impl Unit {
    fn title(&self) -> String {
        format!("unit {}", self.name)
    }

    /// A `systemctl` verb on this unit that ends by itself.
    fn verb<'a>(&'a self, action: Action, verb: &'static str, summary: String) -> Pending<'a> {
        Pending::new(self.title(), action, summary, move |cx| cx.systemctl(&self.title(), &[verb, "--", &self.name]))
    }

    /// Only the links for the next boot change, so the running systemd need not read everything again.
    fn link<'a>(&'a self, verb: &'static str, summary: String) -> Pending<'a> {
        Pending::new(self.title(), Action::Update, summary, move |cx| {
            let command = Command::new("systemctl").args([verb, "--no-reload", "--", &self.name]);
            cx.run(&self.title(), &command).map(drop)
        })
    }

    fn installed<'a>(&'a self, state: &UnitState, wanted: bool) -> Vec<Pending<'a>> {
        let mut pending = Vec::new();
        if (self.enabled || self.running) && state.file.starts_with("masked") {
            pending.push(self.verb(Action::Update, "unmask", format!("{} → unmasked", state.file)));
        }
        // A static unit has nothing to enable; the others of this list are enabled by whatever made them.
        let lasting = matches!(state.file.as_str(), "static" | "alias" | "generated" | "indirect");
        if self.enabled && !wanted && !lasting {
            pending.push(self.link("enable", "starts at boot".into()));
        }
        if !self.enabled && wanted {
            pending.push(self.link("disable", "no longer starts at boot".into()));
        }
        pending
    }

    fn up<'a>(&'a self, cx: &Context, state: &UnitState) -> Vec<Pending<'a>> {
        let owed = cx.owes(&self.name);
        if owed.is_some() {
            cx.told(&self.name);
        }
        if state.is_running() || state.is_starting() {
            return owed.into_iter().map(|cause| units::restart(&self.name, &cause)).collect();
        }
        let now = match state.active.as_str() {
            "" | "inactive" => "stopped",
            "activating" => "crashing",
            other => other,
        };
        let failed = state.active == "failed";
        let verb = if state.active == "activating" { "restart" } else { "start" };
        let title = self.title();
        vec![Pending::new(title.clone(), Action::Start, format!("{now} → running"), move |cx| {
            if failed {
                // A unit that failed too often in a row is not started again without this.
                cx.systemctl(&title, &["reset-failed", "--", &self.name])?;
            }
            units::bring_up(cx, &self.name, verb)
        })]
    }

    fn down<'a>(&'a self, state: &UnitState) -> Vec<Pending<'a>> {
        if matches!(state.active.as_str(), "" | "inactive" | "failed") {
            return Vec::new();
        }
        vec![self.verb(Action::Stop, "stop", format!("{} → stopped", state.active))]
    }
}
