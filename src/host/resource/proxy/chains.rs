//! Which chains of iptables a mode of kube-proxy has left, and the input of iptables-restore that removes them. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Chains that both modes which use iptables have, and write anew when they start.
const SHARED: &[(&str, &str)] = &[
    ("nat", "KUBE-SERVICES"),
    ("nat", "KUBE-POSTROUTING"),
    ("nat", "KUBE-MARK-MASQ"),
    ("filter", "KUBE-FORWARD"),
    ("filter", "KUBE-PROXY-FIREWALL"),
];
const OF_IPVS: &[(&str, &str)] = &[
    // The one in filter is the kubelet's.
    ("nat", "KUBE-FIREWALL"),
    ("nat", "KUBE-LOAD-BALANCER"),
    ("nat", "KUBE-NODE-PORT"),
    ("filter", "KUBE-NODE-PORT"),
    ("filter", "KUBE-SOURCE-RANGES-FIREWALL"),
    ("filter", "KUBE-IPVS-FILTER"),
    ("filter", "KUBE-IPVS-OUT-FILTER"),
];
const OF_IPTABLES: &[(&str, &str)] = &[
    ("nat", "KUBE-NODEPORTS"),
    ("nat", "KUBE-PROXY-CANARY"),
    ("filter", "KUBE-SERVICES"),
    ("filter", "KUBE-EXTERNAL-SERVICES"),
    ("filter", "KUBE-NODEPORTS"),
    ("filter", "KUBE-PROXY-CANARY"),
    ("mangle", "KUBE-PROXY-CANARY"),
];
/// In nat, one for each service and endpoint.
const SERVICES: &[&str] = &["KUBE-SVC-", "KUBE-SEP-", "KUBE-FW-", "KUBE-XLB-", "KUBE-SVL-", "KUBE-EXT-"];

/// Whether mode `old` has made `chain` of `table`, and mode `new` has no use for it.
fn is_left(old: &str, new: &str, table: &str, chain: &str) -> bool {
    let is_in = |chains: &[(&str, &str)]| chains.contains(&(table, chain));
    let own = match old {
        "ipvs" => is_in(OF_IPVS),
        "iptables" => is_in(OF_IPTABLES) || (table == "nat" && is_service(chain)),
        _ => return false,
    };
    own || (new == "nftables" && is_in(SHARED))
}

fn is_service(chain: &str) -> bool {
    SERVICES.iter().any(|prefix| chain.starts_with(prefix))
}

/// Whether the output of iptables-save has a chain for a service, which only the mode iptables makes.
pub(super) fn has_services(saved: &str) -> bool {
    saved.lines().filter_map(|line| line.strip_prefix(':')).any(is_service)
}

/// From the output of iptables-save what iptables-restore must be fed (with `--noflush`) to remove what `old` has left;
/// `None` when it has left nothing. Only lines of what goes: rules that somebody changes meanwhile stay as they are.
pub(super) fn removal(saved: &str, old: &str, new: &str) -> Option<String> {
    let mut tables: BTreeMap<&str, Table<'_>> = BTreeMap::new();
    let mut table = "";
    for line in saved.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':').and_then(|rest| rest.split(' ').next()) {
            if is_left(old, new, table, chain) {
                tables.entry(table).or_default().chains.insert(chain);
            }
        } else if line.starts_with("-A ") {
            tables.entry(table).or_default().rules.push(line);
        }
    }
    let scripts: Vec<String> = tables.iter().filter_map(|(name, table)| table.removal(name, old)).collect();
    (!scripts.is_empty()).then(|| scripts.concat())
}

#[derive(Default)]
struct Table<'a> {
    /// Chains that go.
    chains: BTreeSet<&'a str>,
    /// All rules.
    rules: Vec<&'a str>,
}

impl Table<'_> {
    fn removal(&self, name: &str, old: &str) -> Option<String> {
        let goes = |rule: &&&str| {
            let words: Vec<&str> = rule.split(' ').collect();
            let target = words.windows(2).find(|pair| pair[0] == "-j" || pair[0] == "-g").map(|pair| pair[1]);
            let set = old == "ipvs" && words.windows(2).any(|pair| pair[0] == "--match-set" && is_set(pair[1]));
            let is_in_gone = words.get(1).is_some_and(|chain| self.chains.contains(chain));
            !is_in_gone && (set || target.is_some_and(|target| self.chains.contains(target)))
        };
        let rules: Vec<String> = self.rules.iter().filter(goes).map(|rule| rule.replacen("-A", "-D", 1)).collect();
        if self.chains.is_empty() && rules.is_empty() {
            return None;
        }
        // Named like this, a chain that exists is emptied.
        let emptied = self.chains.iter().map(|chain| format!(":{chain} - [0:0]\n"));
        let rules = rules.into_iter().map(|rule| format!("{rule}\n"));
        let deleted = self.chains.iter().map(|chain| format!("-X {chain}\n"));
        let lines: String = emptied.chain(rules).chain(deleted).collect();
        Some(format!("*{name}\n{lines}COMMIT\n"))
    }
}

/// Whether a set of ipset is kube-proxy's.
pub(super) fn is_set(name: &str) -> bool {
    name.starts_with("KUBE-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPTABLES: &str = "*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n:KUBE-PROXY-CANARY - [0:0]\n\
        COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:KUBE-EXTERNAL-SERVICES - [0:0]\n:KUBE-FIREWALL - [0:0]\n\
        :KUBE-FORWARD - [0:0]\n:KUBE-SERVICES - [0:0]\n\
        -A INPUT -m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
        -A INPUT -j KUBE-EXTERNAL-SERVICES\n-A INPUT -j KUBE-FIREWALL\n-A KUBE-FORWARD -j ACCEPT\nCOMMIT\n\
        *nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-SERVICES - [0:0]\n\
        :KUBE-SEP-A - [0:0]\n:KUBE-SVC-B - [0:0]\n:ops - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n\
        -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-B\n-A KUBE-SVC-B -j KUBE-SEP-A\n\
        -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT\n";
    const IPVS: &str = "*filter\n:INPUT ACCEPT [0:0]\n:KUBE-FIREWALL - [0:0]\n:KUBE-NODE-PORT - [0:0]\n\
        -A INPUT -j KUBE-NODE-PORT\n-A INPUT -j KUBE-FIREWALL\n\
        -A KUBE-NODE-PORT -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j ACCEPT\nCOMMIT\n\
        *nat\n:KUBE-FIREWALL - [0:0]\n:KUBE-LOAD-BALANCER - [0:0]\n:KUBE-NODE-PORT - [0:0]\n\
        :KUBE-POSTROUTING - [0:0]\n:KUBE-SERVICES - [0:0]\n\
        -A KUBE-POSTROUTING -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE\n\
        -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n\
        -A KUBE-SERVICES -m set --match-set mine dst -j ACCEPT\nCOMMIT\n";

    #[test]
    fn from_iptables_to_ipvs_the_chains_of_services_go() {
        insta::assert_snapshot!(removal(IPTABLES, "iptables", "ipvs").unwrap(), @r#"
        *filter
        :KUBE-EXTERNAL-SERVICES - [0:0]
        :KUBE-SERVICES - [0:0]
        -D INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -D INPUT -j KUBE-EXTERNAL-SERVICES
        -X KUBE-EXTERNAL-SERVICES
        -X KUBE-SERVICES
        COMMIT
        *mangle
        :KUBE-PROXY-CANARY - [0:0]
        -X KUBE-PROXY-CANARY
        COMMIT
        *nat
        :KUBE-NODEPORTS - [0:0]
        :KUBE-SEP-A - [0:0]
        :KUBE-SVC-B - [0:0]
        -D KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-B
        -D KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
        -X KUBE-NODEPORTS
        -X KUBE-SEP-A
        -X KUBE-SVC-B
        COMMIT
        "#);
        assert!(has_services(IPTABLES) && !has_services(IPVS));
    }

    #[test]
    fn from_ipvs_to_iptables_its_sets_are_let_go_and_the_kubelets_chain_stays() {
        insta::assert_snapshot!(removal(IPVS, "ipvs", "iptables").unwrap(), @r"
        *filter
        :KUBE-NODE-PORT - [0:0]
        -D INPUT -j KUBE-NODE-PORT
        -X KUBE-NODE-PORT
        COMMIT
        *nat
        :KUBE-FIREWALL - [0:0]
        :KUBE-LOAD-BALANCER - [0:0]
        :KUBE-NODE-PORT - [0:0]
        -D KUBE-POSTROUTING -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
        -D KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
        -X KUBE-FIREWALL
        -X KUBE-LOAD-BALANCER
        -X KUBE-NODE-PORT
        COMMIT
        ");
    }

    #[test]
    fn with_nftables_nothing_of_kube_proxy_stays_in_iptables() {
        let script = removal(IPTABLES, "iptables", "nftables").unwrap();
        for chain in ["KUBE-FORWARD", "KUBE-MARK-MASQ", "KUBE-SERVICES"] {
            assert!(script.contains(&format!("-X {chain}\n")), "{chain}:\n{script}");
        }
        assert!(
            !script.contains("KUBE-FIREWALL") && !script.contains("KUBELET") && !script.contains("ops"),
            "{script}"
        );
    }

    #[test]
    fn what_left_nothing_needs_nothing() {
        assert_eq!(removal(IPTABLES, "ipvs", "iptables"), None);
        assert_eq!(removal(IPVS, "iptables", "ipvs"), None);
        assert_eq!(removal("", "ipvs", "iptables"), None);
    }
}
