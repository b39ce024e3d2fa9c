//! Certificates of one run: hosts that give blobs to each other know by them that both belong to the run. Never written
//! to a disk, and unrelated to the cluster's own CAs.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use crate::cluster::KeyAlgorithm;

use super::{Identity, PkiError, issue};

/// How long before and after its beginning a run's certificates hold: no run is as long, and no clock as wrong.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);
const AUTHORITY: &str = "kubewright-run";

/// The CA of one run.
pub struct RunAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    from: Timestamp,
    until: Timestamp,
}

impl RunAuthority {
    /// A new CA, for a run that begins `now`.
    pub fn new(now: Timestamp) -> Result<Self, PkiError> {
        let what = "the CA of the run";
        let (from, until) = match (now.checked_sub(SLACK), now.checked_add(SLACK)) {
            (Ok(from), Ok(until)) => (from, until),
            _ => return Err(failed(what)("the clock is beyond the calendar".to_owned())),
        };
        let key = generate(what)?;
        let mut params = issue::parameters(AUTHORITY, None, from, until).map_err(failed(what))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        params.use_authority_key_identifier_extension = false;
        let certificate = params.self_signed(&key).map_err(|error| failed(what)(error.to_string()))?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate, from, until })
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for the host called `name` at `address`, to serve with and to ask with.
    pub fn issue(&self, name: &str, address: IpAddr) -> Result<Identity, PkiError> {
        let mut params = issue::parameters(name, None, self.from, self.until).map_err(failed(name))?;
        params.subject_alt_names = vec![SanType::IpAddress(address.to_canonical())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = generate(name)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| failed(name)(error.to_string()))?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn generate(what: &str) -> Result<KeyPair, PkiError> {
    issue::generate(KeyAlgorithm::EcdsaP256).map_err(|error| failed(what)(error.to_string()))
}

fn failed(what: &str) -> impl FnOnce(String) -> PkiError {
    let what = format!("{what}, for blobs between hosts");
    move |why| PkiError::Issue { what, why }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_hosts_certificate_is_of_its_run_and_of_no_other() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let authorities = [RunAuthority::new(now).unwrap(), RunAuthority::new(now).unwrap()];
        let identity = authorities[0].issue("n1", "10.1.0.21".parse().unwrap()).unwrap();
        let der = read::certificates(&identity.certificate).unwrap().remove(0);
        let leaf = read::certificate(&der).unwrap();
        let signed_by = |authority: &RunAuthority| {
            let der = read::certificates(authority.certificate()).unwrap().remove(0);
            leaf.verify_signature(Some(read::certificate(&der).unwrap().public_key())).is_ok()
        };
        assert_eq!(authorities.each_ref().map(signed_by), [true, false]);
        assert!(read::belongs(&read::key(&identity.key).unwrap(), &leaf) && !leaf.is_ca());
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && usage.client_auth);
        let names = format!("{:?}", leaf.subject_alternative_name().unwrap().unwrap().value.general_names);
        assert!(names.contains("[10, 1, 0, 21]"), "{names}");
        let (from, until) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
        assert!(from < now.as_second() - 80_000 && until == now.as_second() + 86_400, "{from} {until}");
    }
}
