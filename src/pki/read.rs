//! Reads certificates and keys as they are found: PEM, one or several, of kubewright, kubeadm or openssl.
//! Reasons never quote the content.

use std::fmt::Write as _;

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

/// The certificates of a file: at least one.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|_| "its PEM is damaged".to_owned())?;
    if found.is_empty() {
        return Err("it holds no PEM certificate".to_owned());
    }
    for der in &found {
        certificate(der)?;
    }
    Ok(found)
}

/// Parses one certificate.
pub(super) fn certificate<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("bytes follow the certificate".to_owned()),
        Err(_) => Err("its DER is damaged".to_owned()),
    }
}

/// The private key of a file: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(text: &str) -> Result<KeyPair, String> {
    // The PEM reader's own errors quote the line, and a key without line breaks is one line.
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| "it holds no PEM private key".to_owned())?;
    KeyPair::try_from(&der).map_err(|_| "its key is damaged, encrypted, or of a kind that is not supported".to_owned())
}

/// The public keys of a file, as DER.
pub(super) fn public_keys(text: &str) -> Result<Vec<SubjectPublicKeyInfoDer<'static>>, String> {
    let found: Result<Vec<_>, _> = SubjectPublicKeyInfoDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|_| "its PEM is damaged".to_owned())?;
    for der in &found {
        SubjectPublicKeyInfo::from_der(der).map_err(|_| "its DER is damaged".to_owned())?;
    }
    if found.is_empty() { Err("it holds no PEM public key".to_owned()) } else { Ok(found) }
}

/// Whether `key` is the key of `certificate`.
pub(super) fn belongs(key: &KeyPair, certificate: &X509Certificate<'_>) -> bool {
    certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw()
}

/// Fingerprint of each certificate, as `openssl x509 -fingerprint -sha256` prints it.
pub(super) fn fingerprint(certificates: &[CertificateDer<'_>]) -> String {
    certificates.iter().map(|der| hex(der)).collect::<Vec<_>>().join(" + ")
}

/// Fingerprint of a key: that of its public half in DER.
pub(super) fn key_fingerprint(key: &KeyPair) -> String {
    hex(&key.subject_public_key_info())
}

fn hex(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    digest.as_ref().iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
        let _ = write!(text, "{}{byte:02X}", if index == 0 { "" } else { ":" });
        text
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::pki::fixtures::{cluster, first};

    fn read_all(text: &str) {
        let _ = certificates(text);
        let _ = key(text);
        let _ = public_keys(text);
    }

    proptest! {
        #[test]
        fn rubbish_is_refused_without_panic(text in any::<String>(), der in any::<Vec<u8>>()) {
            read_all(&text);
            for label in ["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PUBLIC KEY"] {
                read_all(&format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(&der)));
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_panics() {
        let keys = first(&cluster());
        for text in [&keys.ca, &keys.admin.key] {
            let label = if *text == keys.ca { "CERTIFICATE" } else { "PRIVATE KEY" };
            let der: String = text.lines().filter(|line| !line.starts_with('-')).collect();
            let der = STANDARD.decode(der).unwrap();
            for index in 0..der.len() {
                let mut der = der.clone();
                der[index] ^= 1 << (index % 8);
                read_all(&format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(&der)));
            }
        }
    }

    #[test]
    fn reasons_do_not_quote() {
        let text = "-----BEGIN PRIVATE KEY-----TOPSECRET-----END PRIVATE KEY-----";
        for why in [key(text).err(), certificates(text).err(), public_keys(text).err()] {
            assert!(!why.unwrap().contains("TOPSECRET"));
        }
    }
}
