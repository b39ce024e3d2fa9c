//! The key that signs service account tokens: one, the same on all masters, as precious as a CA.

use crate::cluster::{Cluster, KeyAlgorithm};
use rcgen::PublicKeyData;

use super::agree::{Found, agree, copies};
use super::table::Holds;
use super::{Existing, PkiError, issue, read};

/// The key pair.
pub(super) struct ServiceAccount {
    /// PEM, as it was found.
    pub(super) key: String,
    /// PEM, as it was found or made from the key.
    pub(super) public: String,
}

const WHAT: &str = "the service account key";

/// Finds the key, or makes it where there can be none yet.
pub(super) fn resolve(cluster: &Cluster, existing: &Existing) -> Result<ServiceAccount, Vec<PkiError>> {
    let mut errors = Vec::new();
    let mut keys = Vec::new();
    for (place, text) in copies(cluster, existing, Holds::AccountKey) {
        match read::key(text) {
            Ok(value) => {
                let fingerprint = read::key_fingerprint(&value);
                keys.push(Found { place, text, value, fingerprint });
            }
            Err(why) => errors.push(PkiError::Unreadable { place, expected: "private key", why }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let Some(found) = agree(WHAT, keys).map_err(|error| vec![error])? else {
        return if existing.cluster_exists {
            Err(vec![PkiError::Lost { what: WHAT.into(), file: "/etc/kubernetes/pki/sa.key".into() }])
        } else {
            new()
        };
    };

    // A file may hold more public keys than ours, while the key is rotated; without ours, tokens would be refused.
    let ours = found.value.subject_public_key_info();
    let mut public = None;
    for (place, text) in copies(cluster, existing, Holds::AccountPublic) {
        match read::public_keys(text) {
            Ok(others) if others.iter().any(|other| other.as_ref() == ours) => {
                public = public.or(Some(text.to_owned()))
            }
            Ok(_) => errors.push(PkiError::Mismatch { certificate: place, key: found.place.clone() }),
            Err(why) => errors.push(PkiError::Unreadable { place, expected: "public key", why }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let public = public.unwrap_or_else(|| found.value.public_key_pem());
    Ok(ServiceAccount { key: found.text.to_owned(), public })
}

/// RSA whatever the certificates use, because every consumer of tokens verifies RS256.
fn new() -> Result<ServiceAccount, Vec<PkiError>> {
    let failed = |error: rcgen::Error| vec![PkiError::Issue { what: WHAT.into(), why: error.to_string() }];
    let pair = issue::generate(KeyAlgorithm::Rsa2048).map_err(failed)?;
    Ok(ServiceAccount { key: pair.serialize_pem(), public: pair.public_key_pem() })
}
