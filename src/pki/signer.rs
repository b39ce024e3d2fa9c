//! Issues certificates with a CA that was read back.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{Issuer, KeyPair};

use crate::cluster::KeyAlgorithm;

use super::authority::Material;
use super::table::Leaf;
use super::{Identity, PkiError, issue, read};

/// A CA that certificates can be issued with.
pub(super) struct Signer<'a> {
    issuer: Issuer<'static, &'a KeyPair>,
    ends: Timestamp,
}

impl<'a> Signer<'a> {
    /// Loads the CA and tries it out; `None` when its key is not there.
    ///
    /// The trial matters: rcgen keeps a subject as a map, so that a subject that repeats an attribute loses all but the
    /// last, and everything issued then names an issuer that does not exist.
    pub(super) fn new(material: &'a Material, now: Timestamp) -> Option<Result<Self, PkiError>> {
        let pair = material.pair.as_ref()?;
        Some(Self::load(material, pair, now))
    }

    fn load(material: &'a Material, pair: &'a KeyPair, now: Timestamp) -> Result<Self, PkiError> {
        let authority = read::certificate(&material.signing);
        let subject = authority.as_ref().map(|authority| authority.subject().to_string()).unwrap_or_default();
        let unusable =
            |why: String| PkiError::Unusable { authority: material.authority, subject: subject.clone(), why };
        let authority = authority.map_err(unusable)?;

        let issuer = Issuer::from_ca_cert_der(&material.signing, pair).map_err(|error| unusable(error.to_string()))?;
        let trial = issue::parameters("trial", None, now, material.ends).map_err(unusable)?;
        let trial = trial.signed_by(pair, &issuer).map_err(|error| unusable(error.to_string()))?;
        let trial = read::certificate(trial.der()).map_err(unusable)?;
        if trial.issuer().as_raw() != authority.subject().as_raw() {
            return Err(unusable("its subject cannot be repeated byte by byte as issuer".into()));
        }
        trial
            .verify_signature(Some(authority.public_key()))
            .map_err(|error| unusable(format!("what it signs does not verify: {error}")))?;
        Ok(Self { issuer, ends: material.ends })
    }

    /// Issues `leaf` with a new key.
    pub(super) fn issue(
        &self,
        leaf: &Leaf,
        algorithm: KeyAlgorithm,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Identity, PkiError> {
        let failed = |why: String| PkiError::Issue { what: leaf.path.to_owned(), why };
        let params = issue::leaf_parameters(leaf, lifetime, self.ends, now).map_err(failed)?;
        let key = issue::generate(algorithm).map_err(|error| failed(error.to_string()))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| failed(error.to_string()))?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}
