//! Sysctls: one file for the next boot, and every key in the running kernel.

use std::fs;

use super::super::atomic::{self, Attributes};
use super::super::machine::found;
use super::super::protocol::{Action, Failure};
use super::text::unified;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Sysctls;

impl Observe for Sysctls {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let mut pending = Vec::new();
        let (old, new) = (cx.machine.text(&self.path)?, self.render());
        if old.as_deref() != Some(&new) {
            let action = if old.is_some() { Action::Update } else { Action::Create };
            let diff = unified(&self.path, &old.unwrap_or_default(), &new);
            let summary = "sysctls at boot";
            let name = format!("file {}", self.path);
            pending.push(Pending::new(name, action, summary, move |cx| self.write(cx, &new)).with_diff(Some(diff)));
        }
        for (key, value) in &self.values {
            let live = read(cx, key)?;
            if live.as_deref() != Some(&normal(value)) {
                let summary = format!("{} → {}", live.as_deref().unwrap_or("absent"), normal(value));
                let name = format!("sysctl {key}");
                pending.push(Pending::new(name, Action::Update, summary, move |cx| set(cx, key, value)));
            }
        }
        Ok(pending)
    }
}

impl Sysctls {
    fn render(&self) -> String {
        let lines: String = self.values.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        format!("# Written by kubewright; changes here are undone by its next run.\n{lines}")
    }

    fn write(&self, cx: &Context, content: &str) -> Result<(), Failure> {
        let name = format!("file {}", self.path);
        let path = cx.machine.root.at(&self.path);
        cx.make_parents(&name, &path)?;
        let written = atomic::write(&path, content.as_bytes(), Attributes { mode: 0o644, owner: None });
        written.map_err(|error| Failure::new(name, error))
    }
}

/// Where the kernel shows a key: a dot within a part (an interface's name) is written as a slash.
fn path(key: &str) -> String {
    let swapped: String = key
        .chars()
        .map(|c| {
            if c == '.' {
                '/'
            } else if c == '/' {
                '.'
            } else {
                c
            }
        })
        .collect();
    format!("/proc/sys/{swapped}")
}

/// The kernel separates numbers by tabs, people by spaces.
fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(cx: &Context, key: &str) -> Result<Option<String>, Failure> {
    let read = found(fs::read_to_string(cx.machine.root.at(path(key))));
    Ok(read.map_err(|error| Failure::new(format!("sysctl {key}"), error))?.map(|text| normal(&text)))
}

fn set(cx: &Context, key: &str, value: &str) -> Result<(), Failure> {
    let name = format!("sysctl {key}");
    let file = cx.machine.root.at(path(key));
    if read(cx, key)?.is_none() {
        return Err(
            Failure::new(name, format!("{} does not exist in the running kernel", path(key))).hint(missing(key))
        );
    }
    fs::write(file, value).map_err(|error| Failure::new(format!("{name} = {value}"), error))?;
    match read(cx, key)? {
        Some(now) if now == normal(value) => Ok(()),
        now => {
            let now = now.unwrap_or_else(|| "nothing".into());
            let why = format!("the kernel took {value:?} without an error but says {now:?} afterwards");
            Err(Failure::new(name, why).hint("the value is out of the kernel's range, or another program sets it too"))
        }
    }
}

fn missing(key: &str) -> String {
    let module = match key {
        _ if key.starts_with("net.bridge.") => "br_netfilter",
        _ if key.starts_with("net.netfilter.") || key == "net.nf_conntrack_max" => "nf_conntrack",
        _ if key.starts_with("net.ipv4.vs.") => "ip_vs",
        _ if key.starts_with("net.ipv6.") => "ipv6 (disabled on the kernel's command line?)",
        _ => return "this kernel has no such key: leave it out of the inventory".into(),
    };
    format!("load the kernel module {module}: modprobe {module}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
