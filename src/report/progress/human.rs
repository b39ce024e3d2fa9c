//! Events as lines for people. What lasts is printed as a line; what is going on right now is left to [`Live`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::{Event, Style, print_error};
use super::live::Live;

pub(super) struct Human {
    style: Style,
    live: Option<Live>,
    /// Hosts of each running stage: how many there are, and how many have done their part.
    hosts: BTreeMap<String, (usize, usize)>,
}

impl Human {
    pub(super) fn new(style: Style) -> Self {
        Self { style, live: Live::new(), hosts: BTreeMap::new() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::StageStarted { stage, hosts } => {
                self.hosts.insert(stage.clone(), (hosts.len(), 0));
                self.live(stage, "");
            }
            Event::WaveStarted { stage, number, of, hosts } => {
                self.line(&self.style.dim(&format!("  {stage} {number}/{of}: {}", hosts.join(", "))));
            }
            Event::Working { stage, host, on } => self.live(stage, &format!("{host}: {on}")),
            Event::Sent { stage, host, bytes, total } => {
                self.live(stage, &format!("{host}: {} of {} MiB", bytes >> 20, total >> 20));
            }
            Event::Waiting { stage, gate, missing } => {
                let first = missing.first().map_or("", String::as_str);
                let more = if missing.len() > 1 { format!(" (+{} more)", missing.len() - 1) } else { String::new() };
                self.live(stage, &format!("waiting for {gate}: {first}{more}"));
            }
            Event::HostDone { stage, .. } => {
                if let Some((_, done)) = self.hosts.get_mut(stage) {
                    *done += 1;
                }
                self.live(stage, "");
            }
            Event::StageFinished { stage, changed, took, ok } => {
                self.hosts.remove(stage);
                if let Some(live) = &mut self.live {
                    live.end(stage);
                }
                let mark = if *ok { self.style.green("✓") } else { self.style.red("✗") };
                let changed = match (changed, ok) {
                    (0, true) => self.style.dim("unchanged"),
                    (0, false) => "failed".to_owned(),
                    (changed, true) => format!("{changed} changed"),
                    (changed, false) => format!("failed, {changed} changed"),
                };
                self.line(&format!("{mark} {stage:<14} {:>7}  {changed}", elapsed(*took)));
            }
            Event::HostFailed { stage, host, failure } => {
                // The end of the run has all of it, with what to do next.
                let failure = failure.to_string();
                let first = failure.lines().next().unwrap_or_default();
                let host = self.style.bold(&format!("{host} ({stage})"));
                self.line(&format!("{} {host}: {first}", self.style.red("✗")));
            }
            Event::RunStarted { verb, cluster, hosts, .. } => {
                let hosts = if *hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
                self.line(&self.style.bold(&format!("{verb} {cluster}: {hosts}")));
            }
            // The stage tells of them together; the log has each.
            Event::FellBack { stage, host, failure } => self.live(stage, &format!("{host}: {failure}")),
            Event::Note { text } => self.line(text),
            Event::Changed { .. } | Event::RunFinished { .. } | Event::RunFailed { .. } => {}
        }
    }

    fn live(&mut self, stage: &str, what: &str) {
        let Some(live) = &mut self.live else { return };
        let (all, done) = self.hosts.get(stage).copied().unwrap_or_default();
        let count = if all > 0 { format!("{done}/{all} ") } else { String::new() };
        live.show(stage, &format!("{count}{what}"));
    }

    fn line(&self, text: &str) {
        match &self.live {
            Some(live) => live.line(text),
            None => print_error(text),
        }
    }

    pub(super) fn finish(self) {
        if let Some(live) = self.live {
            live.clear();
        }
    }
}

/// `0.3s`, `42.1s`, `3m07s`.
fn elapsed(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1}s")
    } else {
        format!("{}m{:02}s", took.as_secs() / 60, took.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(elapsed(Duration::from_millis(340)), "0.3s");
        assert_eq!(elapsed(Duration::from_secs(187)), "3m07s");
    }
}
