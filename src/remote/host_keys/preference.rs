//! Which host-key algorithms are asked for, and in which order.

use std::borrow::Cow;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};

/// For russh's `Preferred`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::remote) struct Preference {
    /// Types of plain keys.
    pub(in crate::remote) keys: Cow<'static, [Algorithm]>,
    /// Types of certificates; none unless an authority is known for the server.
    pub(in crate::remote) certificates: Cow<'static, [Algorithm]>,
}

/// Every type that is good enough, best first. RSA with SHA-1 is not.
const ALL: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Recorded types first: a server with several keys is asked for the one that can be checked.
pub(super) fn preference<'a>(recorded: impl Iterator<Item = &'a KeyData>, authority: bool) -> Preference {
    let recorded: Vec<Algorithm> = recorded.map(KeyData::algorithm).collect();
    let known = |algorithm: &&Algorithm| recorded.iter().any(|other| same_type(algorithm, other));
    let (first, rest): (Vec<_>, Vec<_>) = ALL.iter().partition(known);
    let keys = first.into_iter().chain(rest).cloned().collect();
    let certificates = if authority { Cow::Borrowed(&ALL[..]) } else { Cow::Borrowed(&[][..]) };
    Preference { keys: Cow::Owned(keys), certificates }
}

/// The same type of key, whatever hash signatures are made with.
fn same_type(one: &Algorithm, other: &Algorithm) -> bool {
    matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })) || one == other
}

#[cfg(test)]
mod tests {
    use super::super::line::parse_key;
    use super::super::line::tests::ECDSA;
    use super::*;

    #[test]
    fn recorded_types_come_first_and_sha1_never() {
        let (kind, base64) = ECDSA.split_once(' ').unwrap();
        let key = parse_key(kind, base64).unwrap();
        let preference = preference([key].iter(), false);
        let names: Vec<String> = preference.keys.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "ecdsa-sha2-nistp256",
                "ssh-ed25519",
                "ecdsa-sha2-nistp384",
                "ecdsa-sha2-nistp521",
                "rsa-sha2-512",
                "rsa-sha2-256"
            ]
        );
        assert!(preference.certificates.is_empty());
    }

    #[test]
    fn certificates_are_asked_for_where_an_authority_is_known() {
        assert_eq!(preference([].iter(), true).certificates.len(), ALL.len());
    }
}
