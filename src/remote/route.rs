//! The way to a host: whom to dial, as whom, with which keys, hop by hop.

use std::path::{Path, PathBuf};

use super::options::Options;
use super::ssh_config::{ClientConfig, HostConfig};
use crate::cluster::{Jump, SshTarget};

const DEFAULT_PORT: u16 = 22;
/// Private keys that are tried when none is named, in this order.
const USUAL_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// One SSH server on the way, or the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// Host keys of the inventory; when there are any, only these count.
    pub(super) pinned: Vec<String>,
    pub(super) identities: Identities,
}

/// Which keys are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identities {
    /// Key files, `~` expanded.
    pub(super) files: Vec<PathBuf>,
    /// Whether somebody named them. If so they go before the agent's keys, and a missing one is worth a word.
    pub(super) named: bool,
    /// Whether the agent's other keys stay out of it.
    pub(super) only: bool,
}

impl Hop {
    /// `ops@10.1.0.11:22`, for messages.
    pub(super) fn address(&self) -> String {
        format!("{}@{}", self.user, self.place())
    }

    /// `10.1.0.11:22` or `[fd00::1]:22`, for messages and as the key of per-server limits.
    pub(super) fn place(&self) -> String {
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{}{}{}:{}", brackets.0, self.host, brackets.1, self.port)
    }

    /// The name under which known_hosts files have this server.
    pub(super) fn known_as(&self) -> String {
        let host = self.host.to_lowercase();
        if self.port == DEFAULT_PORT { host } else { format!("[{host}]:{}", self.port) }
    }
}

/// The hops to `target`, nearest first, the target last. The inventory wins over the client configuration: that one
/// counts only where the inventory leaves the default (port 22, no user, no keys, no jumps).
pub(super) fn route(target: &SshTarget, config: &ClientConfig, options: &Options) -> Result<Vec<Hop>, String> {
    let found = config.host(&target.host);
    let jumps = if target.jumps.is_empty() {
        found.jumps.iter().map(|text| parse_jump(text)).collect::<Result<Vec<_>, _>>()?
    } else {
        target.jumps.clone()
    };
    let mut hops = Vec::new();
    for jump in jumps {
        let found = config.host(&jump.host);
        let pinned = jump.host_keys.clone();
        let identities = identities(&target.identity_files, target.identities_only, &found, options);
        hops.push(hop((&jump.user, &jump.host, jump.port), pinned, identities, &found, options));
    }
    let identities = identities(&target.identity_files, target.identities_only, &found, options);
    hops.push(hop((&target.user, &target.host, target.port), target.host_keys.clone(), identities, &found, options));
    Ok(hops)
}

fn hop(
    (user, host, port): (&str, &str, u16),
    pinned: Vec<String>,
    identities: Identities,
    found: &HostConfig,
    options: &Options,
) -> Hop {
    let user = if user.is_empty() { found.user.as_deref().unwrap_or(&options.local_user) } else { user };
    Hop {
        user: user.to_owned(),
        host: found.host_name.as_deref().unwrap_or(host).to_owned(),
        port: if port == DEFAULT_PORT { found.port.unwrap_or(port) } else { port },
        pinned,
        identities,
    }
}

fn identities(named: &[PathBuf], only: bool, found: &HostConfig, options: &Options) -> Identities {
    let files = if named.is_empty() { &found.identity_files } else { named };
    let only = only || found.identities_only;
    if files.is_empty() {
        let usual = USUAL_KEYS.map(|name| options.home.join(".ssh").join(name));
        return Identities { files: usual.to_vec(), named: false, only };
    }
    let files = files.iter().map(|path| expand_home(path, &options.home)).collect();
    Identities { files, named: true, only }
}

fn expand_home(path: &Path, home: &Path) -> PathBuf {
    path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}

/// `[user@]host[:port]`, or the same as an `ssh://` URI.
fn parse_jump(text: &str) -> Result<Jump, String> {
    let plain = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, place) = plain.rsplit_once('@').unwrap_or(("", plain));
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            // More than one colon is an IPv6 address without brackets.
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = port.map_or(Ok(DEFAULT_PORT), str::parse).map_err(|_| format!("ProxyJump {text}: no such port"))?;
    if host.is_empty() {
        return Err(format!("ProxyJump {text}: no host"));
    }
    Ok(Jump { user: user.to_owned(), host: host.to_owned(), port, host_keys: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Become;

    fn target() -> SshTarget {
        SshTarget {
            host: "m1".into(),
            port: 22,
            user: String::new(),
            identity_files: Vec::new(),
            identities_only: false,
            become_root: Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        }
    }

    fn resolve(target: &SshTarget, text: &str) -> Result<Vec<Hop>, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        std::fs::write(&file, text).unwrap();
        let options = Options {
            ssh_config: vec![file],
            home: "/home/ann".into(),
            local_user: "ann".into(),
            ..Options::default()
        };
        route(target, &ClientConfig::load(&options).unwrap(), &options)
    }

    const CONFIG: &str = "Host m1\n HostName 10.0.0.1\n Port 2200\n User ops\n ProxyJump ben@bastion:2222\n IdentityFile ~/k\nHost bastion\n HostName 192.0.2.1\n";

    #[test]
    fn the_client_configuration_fills_what_the_inventory_leaves_open() {
        let hops = resolve(&target(), CONFIG).unwrap();
        let addresses: Vec<String> = hops.iter().map(Hop::address).collect();
        assert_eq!(addresses, ["ben@192.0.2.1:2222", "ops@10.0.0.1:2200"]);
        assert_eq!(hops[1].identities.files, [PathBuf::from("/home/ann/k")]);
        assert_eq!(hops[1].known_as(), "[10.0.0.1]:2200");
    }

    #[test]
    fn the_inventory_wins() {
        let jump = Jump { user: "j".into(), host: "other".into(), port: 22, host_keys: Vec::new() };
        let target = SshTarget {
            user: "root".into(),
            port: 2022,
            identity_files: vec!["~/mine".into()],
            jumps: vec![jump],
            ..target()
        };
        let hops = resolve(&target, CONFIG).unwrap();
        let addresses: Vec<String> = hops.iter().map(Hop::address).collect();
        assert_eq!(addresses, ["j@other:22", "root@10.0.0.1:2022"]);
        assert_eq!(hops[0].identities.files, [PathBuf::from("/home/ann/mine")]);
    }

    #[test]
    fn without_any_configuration_the_usual_applies() {
        let hops = resolve(&target(), "").unwrap();
        assert_eq!(hops.len(), 1);
        assert_eq!((hops[0].address().as_str(), hops[0].known_as().as_str()), ("ann@m1:22", "m1"));
        assert!(!hops[0].identities.named);
        assert_eq!(hops[0].identities.files[0], PathBuf::from("/home/ann/.ssh/id_ed25519"));
    }

    #[test]
    fn jumps_are_written_in_several_ways() {
        for (text, user, host, port) in [
            ("jump", "", "jump", 22),
            ("a@jump:2222", "a", "jump", 2222),
            ("ssh://a@jump:2222/", "a", "jump", 2222),
            ("[fd00::1]:2222", "", "fd00::1", 2222),
            ("fd00::1", "", "fd00::1", 22),
        ] {
            let jump = parse_jump(text).unwrap();
            assert_eq!((jump.user.as_str(), jump.host.as_str(), jump.port), (user, host, port), "{text}");
        }
        assert_eq!(parse_jump("a@:22"), Err("ProxyJump a@:22: no host".into()));
        assert_eq!(parse_jump("a:x"), Err("ProxyJump a:x: no such port".into()));
    }
}
