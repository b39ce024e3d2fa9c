//! What is known of one server, and the verdict on the key that it shows.

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PublicKeyOrCertificate};

use super::certificate;
use super::line::{Line, Marker, Place, parse_key};
use super::preference::{Preference, preference};

/// What is known of one server.
#[derive(Debug, Clone)]
pub(in crate::remote) struct Expectation {
    /// As known_hosts files call it: `host` or `[host]:port`.
    pub(super) name: String,
    /// Its name alone, lower case.
    pub(super) host: String,
    known: Known,
}

#[derive(Debug, Clone)]
enum Known {
    /// The inventory pins these keys; nothing else counts.
    Pinned(Vec<KeyData>),
    /// Lines of known_hosts files that speak of it.
    Lines {
        exact: Vec<Line>,
        /// Lines about the host without the port. As in OpenSSH they can vouch for a key (an authority's pattern is
        /// rarely written with ports), but not against one.
        portless: Vec<Line>,
    },
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Trusted,
    /// Nothing is recorded.
    Unknown,
    /// Other keys are recorded.
    Changed(Vec<Line>),
    /// This key, or the authority behind it, is marked as revoked.
    Revoked(Place),
    /// None of the keys in the inventory.
    NotPinned(Vec<KeyData>),
    /// A known authority signed it, but it is not good for this server now.
    BadCertificate {
        why: String,
        authority: Place,
    },
}

impl Expectation {
    pub(super) fn pinned(name: String, host: String, keys: &[String]) -> Result<Self, String> {
        let parse = |text: &String| {
            let mut words = text.split_whitespace();
            let key = words.next().zip(words.next()).and_then(|(kind, base64)| parse_key(kind, base64));
            key.ok_or_else(|| format!("the pinned host key {text:?} is not of the form `ssh-ed25519 AAAA…`"))
        };
        let keys = keys.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { name, host, known: Known::Pinned(keys) })
    }

    pub(super) fn recorded(name: String, host: String, lines: &[Line]) -> Self {
        let speaking_of =
            |name: &str| lines.iter().filter(|line| line.hosts.matches(name)).cloned().collect::<Vec<_>>();
        let exact = speaking_of(&name);
        let portless = if name == host { Vec::new() } else { speaking_of(&host) };
        Self { name, host, known: Known::Lines { exact, portless } }
    }

    /// What the server is asked to show.
    pub(in crate::remote) fn preference(&self) -> Preference {
        match &self.known {
            Known::Pinned(keys) => preference(keys.iter(), false),
            Known::Lines { exact, portless } => {
                let with = |marker| exact.iter().chain(portless).filter(move |line| line.marker == marker);
                let authority = with(Marker::Authority).next().is_some();
                preference(with(Marker::Key).map(|line| &line.key), authority)
            }
        }
    }

    /// Judges what the server shows; it has already proven to hold the private key.
    pub(super) fn judge(&self, shown: &PublicKeyOrCertificate, now: u64) -> Verdict {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge_key(key.key_data()),
            PublicKeyOrCertificate::Certificate(certificate) => self.judge_certificate(certificate, now),
        }
    }

    fn judge_key(&self, key: &KeyData) -> Verdict {
        let (exact, portless) = match &self.known {
            Known::Pinned(keys) if keys.contains(key) => return Verdict::Trusted,
            Known::Pinned(keys) => return Verdict::NotPinned(keys.clone()),
            Known::Lines { exact, portless } => (exact, portless),
        };
        if let Some(line) = self.find(Marker::Revoked, key) {
            return Verdict::Revoked(line.place.clone());
        }
        let recorded: Vec<&Line> = exact.iter().filter(|line| line.marker == Marker::Key).collect();
        if recorded.iter().any(|line| line.key == *key) {
            return Verdict::Trusted;
        }
        // A key of another type than the recorded ones counts as changed too: recorded types were asked for first, so
        // the host itself would have shown one of those.
        if !recorded.is_empty() {
            return Verdict::Changed(recorded.into_iter().cloned().collect());
        }
        let vouched = portless.iter().any(|line| line.marker == Marker::Key && line.key == *key);
        if vouched { Verdict::Trusted } else { Verdict::Unknown }
    }

    fn judge_certificate(&self, shown: &Certificate, now: u64) -> Verdict {
        let revoked = |key| self.find(Marker::Revoked, key);
        if let Some(line) = revoked(shown.public_key()).or_else(|| revoked(shown.signature_key())) {
            return Verdict::Revoked(line.place.clone());
        }
        match self.find(Marker::Authority, shown.signature_key()) {
            Some(line) => match certificate::check(shown, &self.host, now) {
                Ok(()) => Verdict::Trusted,
                Err(why) => Verdict::BadCertificate { why, authority: line.place.clone() },
            },
            // The authority is a stranger; the key itself may still be recorded.
            None => self.judge_key(shown.public_key()),
        }
    }

    fn find(&self, marker: Marker, key: &KeyData) -> Option<&Line> {
        let Known::Lines { exact, portless } = &self.known else { return None };
        exact.iter().chain(portless).find(|line| line.marker == marker && line.key == *key)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use russh::keys::PublicKey;

    use super::super::line::parse;
    use super::super::line::tests::{ECDSA, ED25519, OTHER};
    use super::*;

    const NOW: u64 = 1_750_000_000;

    fn expectation(name: &str, host: &str, text: &str) -> Expectation {
        let text = text.replace("OTHER", OTHER).replace("ECDSA", ECDSA).replace("KEY", ED25519);
        Expectation::recorded(name.into(), host.into(), &parse(Path::new("/k"), &text))
    }

    fn key(text: &str) -> PublicKeyOrCertificate {
        PublicKey::from_openssh(text).unwrap().into()
    }

    /// One word for the verdict on [`ED25519`], with the line that decided.
    fn verdict(name: &str, host: &str, text: &str) -> String {
        match expectation(name, host, text).judge(&key(ED25519), NOW) {
            Verdict::Trusted => "trusted".into(),
            Verdict::Unknown => "unknown".into(),
            Verdict::Changed(lines) => format!("changed {}", lines[0].place),
            Verdict::Revoked(place) => format!("revoked {place}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn keys_are_judged_by_the_lines_that_speak_of_the_host() {
        for (text, expected) in [
            ("", "unknown"),
            ("m2 KEY", "unknown"),
            ("m1 KEY", "trusted"),
            ("m1 OTHER", "changed /k:1"),
            ("m1 OTHER\nm1 KEY", "trusted"),
            ("m1 ECDSA", "changed /k:1"),
            ("m1 ECDSA\nm1 KEY", "trusted"),
            ("m1 KEY\n@revoked * KEY", "revoked /k:2"),
            ("@revoked m2 KEY\nm1 KEY", "trusted"),
            ("@revoked * OTHER\nm1 KEY", "trusted"),
            ("@cert-authority * KEY", "unknown"),
            ("*,!m1 KEY", "unknown"),
        ] {
            assert_eq!(verdict("m1", "m1", text), expected, "{text}");
        }
    }

    #[test]
    fn another_port_is_another_host_but_a_portless_line_vouches() {
        for (text, expected) in [
            ("[m1]:2222 KEY", "trusted"),
            ("[m1]:2222 OTHER", "changed /k:1"),
            ("m1 KEY", "trusted"),
            ("m1 OTHER", "unknown"),
            ("m1 KEY\n[m1]:2222 OTHER", "changed /k:2"),
            ("@revoked m1 KEY", "revoked /k:1"),
        ] {
            assert_eq!(verdict("[m1]:2222", "m1", text), expected, "{text}");
        }
    }

    #[test]
    fn pinned_keys_are_the_only_ones() {
        let pins = [format!("{OTHER} a comment")];
        let pinned = Expectation::pinned("m1".into(), "m1".into(), &pins).unwrap();
        assert_eq!(pinned.judge(&key(OTHER), NOW), Verdict::Trusted);
        assert!(matches!(pinned.judge(&key(ED25519), NOW), Verdict::NotPinned(_)));
        for bad in ["", "ssh-ed25519", "SHA256:abc", "ssh-ed25519 AAAA"] {
            assert!(Expectation::pinned("m1".into(), "m1".into(), &[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn certificates_are_judged_by_their_authority() {
        let certificate = Certificate::from_openssh(include_str!("testdata/host-cert.pub")).unwrap();
        let text = |key: &KeyData| PublicKey::new(key.clone(), "").to_openssh().unwrap();
        let (authority, own) = (text(certificate.signature_key()), text(certificate.public_key()));
        let shown = PublicKeyOrCertificate::Certificate(certificate);
        let judge = |host: &str, text: String| expectation(host, host, &text).judge(&shown, NOW);

        assert_eq!(judge("m1.example", format!("@cert-authority *.example {authority}")), Verdict::Trusted);
        assert_eq!(judge("m1.example", format!("@cert-authority *.other {authority}")), Verdict::Unknown);
        assert_eq!(
            judge("m1.example", format!("m1.example {authority}")),
            Verdict::Changed(parse(Path::new("/k"), &format!("m1.example {authority}")))
        );
        assert_eq!(judge("m1.example", format!("m1.example {own}")), Verdict::Trusted);
        assert!(matches!(
            judge("m2.example", format!("@cert-authority *.example {authority}")),
            Verdict::BadCertificate { .. }
        ));
        for revoked in [&authority, &own] {
            let text = format!("@cert-authority *.example {authority}\n@revoked * {revoked}");
            assert!(matches!(judge("m1.example", text), Verdict::Revoked(place) if place.number == 2));
        }
    }

    #[test]
    fn certificates_are_asked_for_only_with_an_authority() {
        assert!(expectation("m1", "m1", "m1 KEY").preference().certificates.is_empty());
        assert!(!expectation("[m1]:1", "m1", "@cert-authority m* KEY").preference().certificates.is_empty());
        assert!(expectation("m1", "m1", "@cert-authority n* KEY").preference().certificates.is_empty());
    }
}
