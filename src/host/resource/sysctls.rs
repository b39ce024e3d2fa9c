//! Sysctls: one file for the next boot, and every key in the running kernel. A value that somebody has raised further
//! already is his, and stays.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::rc::Rc;

use super::super::atomic::{self, Attributes};
use super::super::machine::{Machine, STATE, found};
use super::super::protocol::{Action, Failure};
use super::originals::{parse, remember};
use super::text::unified;
use super::{Context, Observe, Observed, Outcome, Pending};
use crate::desired::sysctl::{Sysctl, Sysctls, module, path};

/// A key that kube-proxy changes, and that a reset gives back with ours.
const FOREIGN: &str = "net.ipv4.conf.all.route_localnet";

/// Values as they were before the first change, in the form of the file itself.
pub(in crate::host) fn before() -> String {
    format!("{STATE}/sysctls-before")
}

impl Observe for Sysctls {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let old = cx.machine.text(&self.path)?;
        let written = old.as_deref().map(parse).unwrap_or_default();
        let mut lines = BTreeMap::new();
        let mut changing = Vec::new();
        let mut originals: Vec<(String, String)> = Vec::new();
        for (key, wanted) in &self.values {
            let live = read(&cx.machine, key)?;
            if live.is_none() && !wanted.required && module(key).is_none() {
                // This kernel was built without it, and nothing depends on it.
                continue;
            }
            if let Some(value) = at_boot(wanted, live.as_deref(), written.get(key.as_str()).copied()) {
                lines.insert(key.as_str(), value);
            }
            let target = wanted.target(live.as_deref());
            if live.as_deref() != Some(&target) {
                let summary = format!("{} → {target}", live.as_deref().unwrap_or("absent"));
                originals.extend(live.map(|live| (key.clone(), live)));
                changing.push((key, wanted, target, summary));
            }
        }
        originals.extend(read(&cx.machine, FOREIGN)?.map(|live| (FOREIGN.to_owned(), live)));
        let originals = Rc::new(originals);
        let pending_of = |(key, wanted, target, summary): (&'a String, &'a Sysctl, String, String)| {
            let originals = Rc::clone(&originals);
            let mend =
                move |cx: &Context| remember(cx, &before(), &originals).and_then(|()| set(cx, key, wanted, &target));
            Pending::deciding(format!("sysctl {key}"), Action::Update, summary, mend)
        };
        let mut pending: Vec<_> = changing.into_iter().map(pending_of).collect();
        // What an earlier run has set and nobody wants any more is given back.
        let known = cx.machine.text(&before())?.unwrap_or_default();
        let known = parse(&known);
        for key in written.keys().filter(|key| !self.values.contains_key(**key)) {
            let (Some(original), Some(live)) = (known.get(key), read(&cx.machine, key)?) else { continue };
            if live != *original {
                let (key, original) = ((*key).to_owned(), (*original).to_owned());
                let summary = format!("{live} → {original}, as it was before");
                pending.push(Pending::new(format!("sysctl {key}"), Action::Update, summary, move |cx| {
                    bring_back(&cx.machine, &key, &original)
                }));
            }
        }
        // The file comes last: a value that the kernel refuses must not wait for the next boot.
        let new = render(&lines);
        if old.as_deref() != Some(&new) {
            let action = if old.is_some() { Action::Update } else { Action::Create };
            let diff = unified(&self.path, &old.unwrap_or_default(), &new);
            let name = format!("file {}", self.path);
            let file = Pending::new(name, action, "sysctls at boot", move |cx| self.write(cx, &new));
            pending.push(file.with_diff(Some(diff)));
        }
        Ok(pending)
    }
}

impl Sysctls {
    fn write(&self, cx: &Context, content: &str) -> Result<(), Failure> {
        let name = format!("file {}", self.path);
        let path = cx.machine.root.at(&self.path);
        cx.make_parents(&name, &path)?;
        let written = atomic::write(&path, content.as_bytes(), Attributes { mode: 0o644, owner: None });
        written.map_err(|error| Failure::new(name, error))
    }
}

/// The line of the next boot. What stands there and is good enough stays, whoever has raised the live value since; what
/// the kernel has more of without our doing needs none.
fn at_boot(wanted: &Sysctl, live: Option<&str>, written: Option<&str>) -> Option<String> {
    match (written.filter(|written| wanted.target(Some(written)) == *written), live) {
        (Some(written), _) => Some(written.to_owned()),
        (None, Some(live)) if live != wanted.value && wanted.target(Some(live)) == live => None,
        (None, live) => Some(wanted.target(live)),
    }
}

fn render(lines: &BTreeMap<&str, String>) -> String {
    let lines: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("# Written by kubewright; changes here are undone by its next run.\n{lines}")
}

fn read(machine: &Machine, key: &str) -> Result<Option<String>, Failure> {
    let read = found(fs::read_to_string(machine.root.at(path(key))));
    let text = read.map_err(|error| Failure::new(format!("sysctl {key}"), error))?;
    // The kernel separates numbers by tabs, people by spaces.
    Ok(text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn set(cx: &Context, key: &str, wanted: &Sysctl, target: &str) -> Result<Outcome, Failure> {
    if read(&cx.machine, key)?.is_none() {
        if !wanted.required {
            return Ok(Outcome::NotNeeded);
        }
        let why = format!("{} does not exist in the running kernel", path(key));
        return Err(Failure::new(format!("sysctl {key}"), why).hint(missing(key)));
    }
    write(&cx.machine, key, target)?;
    Ok(Outcome::Made)
}

/// Writes a value, unless the key is gone.
pub(in crate::host) fn bring_back(machine: &Machine, key: &str, value: &str) -> Result<(), Failure> {
    if read(machine, key)?.is_some() { write(machine, key, value) } else { Ok(()) }
}

/// Writes a value and reads it back.
fn write(machine: &Machine, key: &str, value: &str) -> Result<(), Failure> {
    let name = format!("sysctl {key} = {value}");
    // With its newline: writing nothing at all would leave a list as it is.
    fs::write(machine.root.at(path(key)), format!("{value}\n")).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "the key is read-only here: is the host a container, or its kernel locked down?"
            }
            ErrorKind::InvalidInput => "the value is out of the kernel's range: set another one in the inventory",
            _ => "set another value in the inventory, under kernel.sysctls",
        };
        Failure::new(&name, error).hint(hint)
    })?;
    match read(machine, key)? {
        Some(now) if now == value => Ok(()),
        now => {
            let now = now.unwrap_or_else(|| "nothing".into());
            let why = format!("the kernel took it without an error but says {now:?} afterwards");
            let hint =
                "the value is out of the kernel's range, or another program sets it too (tuned, a network daemon)";
            Err(Failure::new(name, why).hint(hint))
        }
    }
}

fn missing(key: &str) -> String {
    match module(key) {
        Some(module) => format!("load the kernel module {module}: modprobe {module}"),
        None if key.starts_with("net.ipv6.") => "is IPv6 disabled on the kernel's command line?".into(),
        None => "this kernel has no such key: leave it out of the inventory".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::sysctl::Direction::{AtLeast, AtMost, Exactly};

    #[test]
    fn keys_become_paths() {
        assert_eq!(path("net.ipv4.ip_forward"), "/proc/sys/net/ipv4/ip_forward");
        assert_eq!(path("net.ipv4.conf.eth0/100.rp_filter"), "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
    }

    #[test]
    fn a_missing_key_names_its_module() {
        for (key, module) in [
            ("net.bridge.bridge-nf-call-iptables", "br_netfilter"),
            ("net.netfilter.nf_conntrack_tcp_timeout_established", "nf_conntrack"),
            ("net.ipv4.vs.conn_reuse_mode", "ip_vs"),
            ("vm.nonsense", "no such key"),
        ] {
            assert!(missing(key).contains(module), "{key}");
        }
    }

    #[test]
    fn the_line_of_the_next_boot_does_not_follow_the_live_value() {
        let at_least = Sysctl { value: "100".into(), direction: AtLeast, required: false };
        let exactly = Sysctl { direction: Exactly, ..at_least.clone() };
        let at_most = Sysctl { direction: AtMost, ..at_least.clone() };
        for (wanted, live, written, line) in [
            (&at_least, Some("10"), None, Some("100")),
            (&at_least, Some("100"), None, Some("100")),
            // Somebody else wants more.
            (&at_least, Some("500"), None, None),
            // Raised by somebody after us.
            (&at_least, Some("500"), Some("100"), Some("100")),
            // Written when less was wanted.
            (&at_least, Some("50"), Some("50"), Some("100")),
            (&at_least, None, None, Some("100")),
            (&exactly, Some("500"), None, Some("100")),
            (&exactly, Some("100"), Some("500"), Some("100")),
            (&at_most, Some("10"), None, None),
            (&at_most, Some("500"), None, Some("100")),
        ] {
            assert_eq!(at_boot(wanted, live, written).as_deref(), line, "{wanted:?} {live:?} {written:?}");
        }
    }
}
