//! The CAs: read back from whoever has them, made only where there is none and no cluster.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;

use crate::cluster::Cluster;

use super::agree::{Found, agree, copies};
use super::table::{Authority, Holds};
use super::{Existing, PkiError, issue, read};

/// Before its end a CA is worth a note for this long.
const NOTE_BEFORE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A CA, ready to verify with, and to sign with where there is a key.
pub(super) struct Material {
    pub(super) authority: Authority,
    /// PEM, as it was found.
    pub(super) certificate: String,
    /// PEM, as it was found.
    pub(super) key: Option<String>,
    pub(super) pair: Option<KeyPair>,
    /// Every certificate of the file: while a CA is rotated there are two.
    pub(super) trusted: Vec<CertificateDer<'static>>,
    /// The one that belongs to the key; the first where there is no key.
    pub(super) signing: CertificateDer<'static>,
    pub(super) ends: Timestamp,
}

impl Material {
    /// What the operator should know: that it runs out within a year, that nothing can be signed with it.
    pub(super) fn notes(&self, now: Timestamp) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ends.duration_since(now) < NOTE_BEFORE {
            notes.push(format!("expires at {}; it is never replaced by itself: plan its rotation", self.ends));
        }
        if self.pair.is_none() {
            notes.push(format!(
                "its key is on no master and not in the local state directory: nothing new can be signed, and \
                 certificates that end cannot be renewed; put /etc/kubernetes/{}.key back from a backup",
                self.authority.stem()
            ));
        }
        notes
    }
}

/// Finds `authority`, or makes it where there can be none yet.
pub(super) fn resolve(
    cluster: &Cluster,
    existing: &Existing,
    authority: Authority,
    now: Timestamp,
) -> Result<Material, Vec<PkiError>> {
    let one = |error| vec![error];
    match found(cluster, existing, authority)? {
        (Some(certificate), key) => material(authority, certificate, key, now).map_err(one),
        (None, Some(key)) => Err(one(PkiError::NoCertificate { authority, key: key.place })),
        (None, None) if existing.cluster_exists => Err(one(PkiError::Lost {
            what: authority.to_string(),
            file: format!("/etc/kubernetes/{0}.crt and /etc/kubernetes/{0}.key", authority.stem()),
        })),
        (None, None) => {
            let made = issue::authority(authority, cluster.pki.algorithm, cluster.pki.ca_lifetime, now).map_err(one)?;
            let cache = BTreeMap::from([
                (Holds::Certificate(authority).cache_name(), made.certificate),
                (Holds::Key(authority).cache_name(), made.key),
            ]);
            // Read back like any other, so that a new CA and an old one cannot be treated differently.
            resolve(cluster, &Existing { cache, ..Existing::default() }, authority, now)
        }
    }
}

type Certificates = Vec<CertificateDer<'static>>;
type Pair<'a> = (Option<Found<'a, Certificates>>, Option<Found<'a, KeyPair>>);

/// Certificate and key as all agree upon them.
fn found<'a>(cluster: &Cluster, existing: &'a Existing, authority: Authority) -> Result<Pair<'a>, Vec<PkiError>> {
    let mut errors = Vec::new();
    let mut certificates = Vec::new();
    for (place, text) in copies(cluster, existing, Holds::Certificate(authority)) {
        match read::certificates(text) {
            Ok(value) => {
                let fingerprint = read::fingerprint(&value);
                certificates.push(Found { place, text, value, fingerprint });
            }
            Err(why) => errors.push(PkiError::Unreadable { place, expected: "CA certificate", why }),
        }
    }
    let mut keys = Vec::new();
    for (place, text) in copies(cluster, existing, Holds::Key(authority)) {
        match read::key(text) {
            Ok(value) => {
                let fingerprint = read::key_fingerprint(&value);
                keys.push(Found { place, text, value, fingerprint });
            }
            Err(why) => errors.push(PkiError::Unreadable { place, expected: "CA key", why }),
        }
    }
    let certificate =
        agree(&format!("the certificate of {authority}"), certificates).map_err(|error| errors.push(error));
    let key = agree(&format!("the key of {authority}"), keys).map_err(|error| errors.push(error));
    match (certificate, key) {
        (Ok(certificate), Ok(key)) if errors.is_empty() => Ok((certificate, key)),
        _ => Err(errors),
    }
}

fn material(
    authority: Authority,
    certificate: Found<'_, Certificates>,
    key: Option<Found<'_, KeyPair>>,
    now: Timestamp,
) -> Result<Material, PkiError> {
    let place = certificate.place;
    let parsed: Result<Vec<_>, _> = certificate.value.iter().map(read::certificate).collect();
    let unreadable = |why| PkiError::Unreadable { place: place.clone(), expected: "CA certificate", why };
    let parsed = parsed.map_err(unreadable)?;
    let signing = match &key {
        None => 0,
        Some(key) => match parsed.iter().position(|candidate| read::belongs(&key.value, candidate)) {
            Some(signing) => signing,
            None => return Err(PkiError::Mismatch { certificate: place, key: key.place.clone() }),
        },
    };
    let moment = |second: i64| Timestamp::from_second(second).map_err(|error| unreadable(error.to_string()));
    let validity = parsed[signing].validity();
    let (from, ends) = (moment(validity.not_before.timestamp())?, moment(validity.not_after.timestamp())?);
    if !parsed[signing].is_ca() {
        return Err(PkiError::NotAnAuthority { place });
    }
    if ends <= now {
        return Err(PkiError::Expired { authority, expired: ends });
    }
    if from > now {
        return Err(PkiError::NotYetValid { authority, from });
    }
    Ok(Material {
        authority,
        certificate: certificate.text.to_owned(),
        key: key.as_ref().map(|key| key.text.to_owned()),
        pair: key.map(|key| key.value),
        signing: certificate.value[signing].clone(),
        trusted: certificate.value,
        ends,
    })
}
