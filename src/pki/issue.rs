//! Makes keys and certificates. The only place that fills in rcgen's parameters, whose defaults suit nobody here:
//! validity from 1975 to 4096, serials that repeat with the key, no authority key identifier.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, RsaKeySize, SanType, SerialNumber,
};
use time::OffsetDateTime;

use crate::cluster::KeyAlgorithm;

use super::san::San;
use super::table::{Authority, Leaf, Usage};
use super::{Identity, PkiError};

/// Certificates are dated back by this much, for hosts whose clock is behind.
const BACKDATE: Duration = Duration::from_secs(300);

/// A new private key.
pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<KeyPair, rcgen::Error> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyAlgorithm::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyAlgorithm::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
    }
}

/// A new CA.
pub(super) fn authority(
    authority: Authority,
    algorithm: KeyAlgorithm,
    lifetime: Duration,
    now: Timestamp,
) -> Result<Identity, PkiError> {
    let failed = |why: String| PkiError::Issue { what: authority.to_string(), why };
    let key = generate(algorithm).map_err(|error| failed(error.to_string()))?;
    let mut params =
        parameters(authority.common_name(), None, now, end(now, lifetime).map_err(failed)?).map_err(failed)?;
    // client-go repeats the common name here; so do we.
    params.subject_alt_names = names(&[San::Dns(authority.common_name().into())].into()).map_err(failed)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.use_authority_key_identifier_extension = false;
    let certificate = params.self_signed(&key).map_err(|error| failed(error.to_string()))?;
    Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// The parameters of `leaf`'s certificate, valid for `lifetime` but not longer than its CA.
pub(super) fn leaf_parameters(
    leaf: &Leaf,
    lifetime: Duration,
    authority_ends: Timestamp,
    now: Timestamp,
) -> Result<CertificateParams, String> {
    let end = end(now, lifetime)?.min(authority_ends);
    let mut params = parameters(&leaf.common_name, leaf.organisation, now, end)?;
    params.subject_alt_names = names(&leaf.names)?;
    params.extended_key_usages = match leaf.usage {
        Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    };
    Ok(params)
}

/// What all certificates have in common.
pub(super) fn parameters(
    common_name: &str,
    organisation: Option<&str>,
    now: Timestamp,
    end: Timestamp,
) -> Result<CertificateParams, String> {
    let mut subject = DistinguishedName::new();
    if let Some(organisation) = organisation {
        subject.push(DnType::OrganizationName, organisation);
    }
    subject.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = date(now.checked_sub(BACKDATE).map_err(|error| error.to_string())?)?;
    params.not_after = date(end)?;
    params.serial_number = Some(serial()?);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn names(names: &BTreeSet<San>) -> Result<Vec<SanType>, String> {
    let name = |name: &San| match name {
        San::Ip(address) => Ok(SanType::IpAddress(*address)),
        San::Dns(text) => {
            text.as_str().try_into().map(SanType::DnsName).map_err(|error: rcgen::Error| format!("{text}: {error}"))
        }
    };
    names.iter().map(name).collect()
}

fn end(now: Timestamp, lifetime: Duration) -> Result<Timestamp, String> {
    now.checked_add(lifetime).map_err(|_| format!("a lifetime of {} s goes beyond the calendar", lifetime.as_secs()))
}

fn date(moment: Timestamp) -> Result<OffsetDateTime, String> {
    OffsetDateTime::from_unix_timestamp(moment.as_second()).map_err(|error| error.to_string())
}

/// 16 random bytes; the first bit is 0 so that the number is positive, the second 1 so that it is 16 bytes long.
fn serial() -> Result<SerialNumber, String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "there is no randomness".to_owned())?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
