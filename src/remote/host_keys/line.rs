//! A line of a known_hosts file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;

use super::pattern::Hosts;

/// A line that could be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) marker: Marker,
    pub(super) hosts: Hosts,
    pub(super) key: KeyData,
}

/// Where a line is: `/root/.ssh/known_hosts:3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<PathBuf>,
    pub(super) number: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.number)
    }
}

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// It is the host's.
    Key,
    /// It signs certificates of hosts.
    Authority,
    /// It must never be accepted.
    Revoked,
}

/// The lines of a file. As in OpenSSH, a line that cannot be understood says nothing.
pub(super) fn parse(file: &Path, text: &str) -> Vec<Line> {
    let file = Arc::new(file.to_owned());
    let numbered = text.lines().zip(1..);
    numbered
        .filter_map(|(text, number)| {
            let place = Place { file: Arc::clone(&file), number };
            let line = parse_line(text, &place);
            if line.is_none() && !text.trim().is_empty() && !text.trim_start().starts_with('#') {
                tracing::debug!("{place} is not understood and ignored");
            }
            line
        })
        .collect()
}

fn parse_line(text: &str, place: &Place) -> Option<Line> {
    let mut words = text.split_whitespace();
    let mut first = words.next().filter(|word| !word.starts_with('#'))?;
    let marker = match first {
        "@cert-authority" => Marker::Authority,
        "@revoked" => Marker::Revoked,
        other if other.starts_with('@') => return None,
        _ => Marker::Key,
    };
    if marker != Marker::Key {
        first = words.next()?;
    }
    let key = parse_key(words.next()?, words.next()?)?;
    Some(Line { place: place.clone(), marker, hosts: Hosts::parse(first)?, key })
}

/// A public key from its type and its base64.
pub(super) fn parse_key(kind: &str, base64: &str) -> Option<KeyData> {
    PublicKey::from_openssh(&format!("{kind} {base64}")).ok().map(|key| key.key_data().clone())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKT2fLIRCCPd4TL+ugSMPCOidBb3vTyR01AF3bX0af0J";
    pub(crate) const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1eCVQXYyYqvQxW0irkLggWd1HpTshZxFHtmcjIrmdm";
    pub(crate) const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIdovuVTaJJL8ZyPv5wL0DiVuQSRnaHJaXTQseZQgx1VFXJIagNUBq/xOinkdc+pdSzdXNMcuSqbiYpV977YFZY=";

    #[test]
    fn lines_are_read_as_openssh_reads_them() {
        let text = format!(
            "# a comment\n\nm1 {ED25519} comment here\n  m2,10.0.0.2\t{}\n@revoked * {OTHER}\n@cert-authority *.example {ECDSA}\n",
            OTHER.replace(' ', "\t")
        );
        let lines = parse(Path::new("/k"), &text);
        let seen: Vec<_> = lines.iter().map(|line| (line.place.to_string(), line.marker)).collect();
        assert_eq!(
            seen,
            [
                ("/k:3".to_owned(), Marker::Key),
                ("/k:4".to_owned(), Marker::Key),
                ("/k:5".to_owned(), Marker::Revoked),
                ("/k:6".to_owned(), Marker::Authority)
            ]
        );
        assert!(lines[1].hosts.matches("10.0.0.2"));
    }

    #[test]
    fn rubbish_says_nothing() {
        for text in ["m1", "m1 ssh-ed25519", "m1 ssh-ed25519 AAAA", "@unknown m1 ssh-ed25519 AAAA", "@revoked", "\u{0}"]
        {
            assert_eq!(parse(Path::new("/k"), text), [], "{text}");
        }
        let mismatch = ED25519.replace("ssh-ed25519", "ssh-rsa");
        assert_eq!(parse(Path::new("/k"), &format!("m1 {mismatch}")), []);
    }
}
