//! Why there are no keys: each with what was found, and what to do next.

use std::fmt::Write as _;

use jiff::Timestamp;
use thiserror::Error;

use crate::cluster::HostName;

use super::agree::Place;
use super::table::Authority;

/// Why the keys of a cluster cannot be worked out. Nothing was changed anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PkiError {
    /// A file of a CA or of the service accounts is there and cannot be read.
    #[error(
        "{place} is no {expected}: {why}\n  hint: restore it from a backup; if another host has a good copy, move this \
         file away and run again, it is copied from there"
    )]
    Unreadable {
        /// Where.
        place: Place,
        /// What it should be.
        expected: &'static str,
        /// What is wrong with it. Never quotes the content.
        why: String,
    },
    /// Two places hold different ones.
    #[error(
        "{what} is not the same everywhere:{}\n  hint: find out which is the one the cluster runs with (the hosts' count, not \
         this machine's), move the others away and run again; kubewright never chooses between two, and never makes a new one",
        list(groups)
    )]
    Differ {
        /// What differs.
        what: String,
        /// The fingerprints, and who has them.
        groups: Vec<(String, Vec<Place>)>,
    },
    /// Key and certificate, or public key, do not belong together.
    #[error(
        "{key} is not the key of {certificate}\n  hint: one of the two was replaced; restore the pair from another host \
         or from a backup"
    )]
    Mismatch {
        /// The certificate or the public key.
        certificate: Place,
        /// The key.
        key: Place,
    },
    /// A key without its certificate.
    #[error(
        "{key} is there, but the certificate of {authority} is nowhere\n  hint: restore the certificate from a backup; if \
         there never was a cluster, move the key away and run again"
    )]
    NoCertificate {
        /// Whose.
        authority: Authority,
        /// Where its key is.
        key: Place,
    },
    /// The cluster lives, and its keys are gone.
    #[error(
        "{what} is on no control-plane host and not in the local state directory, but hosts hold etcd data: a new one would \
         lock out everything that runs\n  hint: run from the machine that installed the cluster, restore {file} on a \
         control-plane host from a backup, or `kubewright reset` the hosts if the cluster is to go"
    )]
    Lost {
        /// What is lost.
        what: String,
        /// Where it belongs.
        file: String,
    },
    /// Certificates must be issued, and the CA's key is nowhere.
    #[error(
        "the key of {authority} is on no control-plane host and not in the local state directory, and these certificates must \
         be issued:{}\n  hint: restore the key, or have whoever holds it sign these; a certificate of a CA that is left from an \
         earlier cluster is removed by `kubewright reset`, which takes all data of the hosts with it",
        needs(leaves)
    )]
    NoKey {
        /// Whose.
        authority: Authority,
        /// What must be issued.
        leaves: Vec<NeedsKey>,
    },
    /// A CA has run out.
    #[error(
        "{authority} expired at {expired}: no certificate of it is valid any more\n  hint: a CA is never replaced by itself, \
         because that cuts off everything that trusts it; rotate it by hand, then run again"
    )]
    Expired {
        /// Which.
        authority: Authority,
        /// When.
        expired: Timestamp,
    },
    /// A CA is of the future.
    #[error("{authority} is valid from {from} only\n  hint: set the clock of this machine")]
    NotYetValid {
        /// Which.
        authority: Authority,
        /// From when.
        from: Timestamp,
    },
    /// A certificate that may not sign.
    #[error("{place} is no CA certificate: its basic constraints say so\n  hint: restore the right file from a backup")]
    NotAnAuthority {
        /// Where.
        place: Place,
    },
    /// A CA that certificates cannot be issued with.
    #[error(
        "certificates cannot be issued with {authority} ({subject}): {why}\n  hint: have the certificates signed by other means \
         and put them in place, or rotate to a CA whose subject has each attribute once and whose key is RSA of 2048 bits or \
         more, P-256 or P-384"
    )]
    Unusable {
        /// Which.
        authority: Authority,
        /// Its subject.
        subject: String,
        /// Why.
        why: String,
    },
    /// A name of the inventory that cannot stand in a certificate.
    #[error(
        "{name:?} can be no subject alternative name: it is neither an address nor a DNS name\n  hint: mend the endpoint or certSans in the inventory"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Key generation or signing failed.
    #[error("cannot issue {what}: {why}")]
    Issue {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

/// A certificate that must be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsKey {
    /// On which host.
    pub host: HostName,
    /// Where.
    pub path: String,
    /// Why.
    pub why: String,
}

/// Of a thousand hosts that say the same, these are enough to find the rest.
const LISTED: usize = 12;

fn list(groups: &[(String, Vec<Place>)]) -> String {
    let mut text = String::new();
    for (fingerprint, places) in groups {
        let listed: Vec<String> = places.iter().take(LISTED).map(Place::to_string).collect();
        let _ = write!(text, "\n  {}{}\n    SHA-256 {fingerprint}", listed.join(", "), more(places.len(), ", "));
    }
    text
}

fn needs(leaves: &[NeedsKey]) -> String {
    let mut text = String::new();
    for leaf in leaves.iter().take(LISTED) {
        let _ = write!(text, "\n  {}:{}: {}", leaf.host, leaf.path, leaf.why);
    }
    text + &more(leaves.len(), "\n  ")
}

fn more(count: usize, separator: &str) -> String {
    if count > LISTED { format!("{separator}and {} more", count - LISTED) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_where_and_what_to_do() {
        let host = |name: &str| HostName::parse(name).unwrap();
        let on = |name: &str| Place::Host(host(name), "/etc/kubernetes/pki/ca.crt");
        let differ = PkiError::Differ {
            what: "the certificate of the Kubernetes CA".into(),
            groups: vec![
                ("AB:CD".into(), vec![on("m1"), on("m2")]),
                ("12:34".into(), vec![Place::Cache("pki/ca.crt".into())]),
                ("56:78".into(), (1..=100).map(|index| on(&format!("n{index}"))).collect()),
            ],
        };
        let leaf = |name, path: &str, why: &str| NeedsKey { host: host(name), path: path.into(), why: why.into() };
        let no_key = PkiError::NoKey {
            authority: Authority::Etcd,
            leaves: vec![
                leaf("m1", "/etc/etcd/pki/peer.crt", "there is none"),
                leaf("m2", "/etc/etcd/pki/server.crt", "it expires at 2026-12-01T00:00:00Z"),
            ],
        };
        let lost = PkiError::Lost { what: "the service account key".into(), file: "/etc/kubernetes/pki/sa.key".into() };
        let mismatch = PkiError::Mismatch { certificate: on("m1"), key: Place::Cache("pki/ca.key".into()) };
        let unusable = PkiError::Unusable {
            authority: Authority::Kubernetes,
            subject: "O=one, O=two, CN=kubernetes".into(),
            why: "its subject cannot be repeated byte by byte as issuer".into(),
        };
        let all = [differ, no_key, lost, mismatch, unusable].map(|error| error.to_string());
        insta::assert_snapshot!(all.join("\n\n"));
    }
}
