//! Our certificates and key, from PEM to what the client library takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::KubeError;

/// What is known about our own certificate: when the server says no more than 401, this says why.
#[derive(Debug, Clone)]
pub(super) struct ClientCertificate {
    /// Its subject.
    pub(super) subject: String,
    /// The last moment of its validity.
    pub(super) not_after: Timestamp,
}

impl ClientCertificate {
    /// Reads the first certificate of a PEM file.
    pub(super) fn parse(pem: &str) -> Result<Self, KubeError> {
        let bad = |message: String| KubeError::Identity { what: "client certificate", message };
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(error.to_string()))?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| bad(error.to_string()))?;
        let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp())
            .map_err(|error| bad(error.to_string()))?;
        Ok(Self { subject: certificate.subject().to_string(), not_after })
    }

    /// Whether it has run out by our own clock.
    pub(super) fn has_expired(&self) -> bool {
        self.not_after < Timestamp::now()
    }
}

/// Every certificate of a PEM file.
pub(super) fn authorities(pem: &str) -> Result<Vec<Vec<u8>>, KubeError> {
    let bad = |message: String| KubeError::Identity { what: "certificate of the CA", message };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() { Err(bad("there is no certificate in it".into())) } else { Ok(certificates) }
}

/// A PEM file as a kubeconfig holds it.
pub(super) fn encoded(pem: &str) -> String {
    STANDARD.encode(pem)
}
