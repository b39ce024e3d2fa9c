//! CoreDNS's own configuration, as far as names outside of the cluster are concerned.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Plugins that kubeadm's Corefile has.
const USUAL: [&str; 11] = [
    "cache",
    "errors",
    "forward",
    "health",
    "kubernetes",
    "loadbalance",
    "log",
    "loop",
    "prometheus",
    "ready",
    "reload",
];

/// Who is asked for names outside of the cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forwards {
    /// For all names.
    pub(super) upstreams: Vec<String>,
    /// For names in some domains.
    pub(super) stub_domains: BTreeMap<String, Vec<String>>,
    /// Plugins that do something else.
    pub(super) others: Vec<String>,
}

/// Reads a Corefile.
pub(super) fn forwards(text: &str) -> Forwards {
    let mut found = Forwards::default();
    let (mut depth, mut zones): (usize, Vec<String>) = (0, Vec::new());
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        if depth == 0 {
            let names = words.iter().filter(|word| **word != "{").map(|word| word.trim_end_matches(['{', ',']));
            zones =
                names.map(|name| name.split(':').next().unwrap_or_default().trim_end_matches('.').to_owned()).collect();
        } else if depth == 1 && *first == "forward" {
            let servers: Vec<String> =
                words.iter().skip(2).filter(|word| is_address(word)).map(|word| (*word).to_owned()).collect();
            for zone in zones.iter().filter(|_| !servers.is_empty()) {
                match zone.as_str() {
                    "" => found.upstreams.clone_from(&servers),
                    domain => drop(found.stub_domains.insert(domain.to_owned(), servers.clone())),
                }
            }
        } else if depth == 1 && *first != "}" && !USUAL.contains(first) && !found.others.contains(&(*first).to_owned())
        {
            found.others.push((*first).to_owned());
        }
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
    }
    found
}

fn is_address(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_found_by_zone() {
        let text = "\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 30
    }
    hosts {
       10.0.0.9 registry.example
       fallthrough
    }
    forward . 10.0.0.2 10.0.0.3:5353 {
       max_concurrent 1000
    }
    cache 30
}
corp.example:53 {
    forward . 10.0.0.53
}
";
        let found = forwards(text);
        assert_eq!(found.upstreams, ["10.0.0.2", "10.0.0.3:5353"]);
        assert_eq!(found.stub_domains, BTreeMap::from([("corp.example".to_owned(), vec!["10.0.0.53".to_owned()])]));
        assert_eq!(found.others, ["hosts"]);
        assert_eq!(forwards(".:53 {\n  forward . /etc/resolv.conf\n}\n"), Forwards::default());
    }
}
