//! The keys of signatures: ECDSA on P-256 in PEM files, as cosign and openssl have them.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::super::small;
use super::SignatureError;

/// Largest key file that is read.
const LIMIT: u64 = 64 << 10;

/// Public keys; a signature by any of them is good.
#[derive(Debug)]
pub struct TrustedKeys(Vec<(PathBuf, ParsedPublicKey)>);

/// A private key.
#[derive(Debug)]
pub struct SigningKey {
    path: PathBuf,
    pair: EcdsaKeyPair,
}

impl TrustedKeys {
    /// Reads the files at `paths`, of which there is at least one.
    pub fn load(paths: &[PathBuf]) -> Result<Self, SignatureError> {
        paths.iter().map(|path| Ok((path.clone(), public(path)?))).collect::<Result<_, _>>().map(Self)
    }

    /// The files, for errors.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    /// The file of the key that made `signature` over `message`.
    pub(super) fn signer(&self, message: &[u8], signature: &[u8]) -> Option<&Path> {
        let good = |key: &ParsedPublicKey| key.verify_sig(message, signature).is_ok();
        self.0.iter().find(|(_, key)| good(key)).map(|(path, _)| path.as_path())
    }
}

impl SigningKey {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self, SignatureError> {
        let bad = |reason: String| SignatureError::Key { path: path.to_owned(), reason };
        let pem = small::read(path, LIMIT).map_err(|error| bad(error.to_string()))?;
        if String::from_utf8_lossy(&pem).contains("BEGIN ENCRYPTED") {
            let reason =
                "it is encrypted; decrypt it first (openssl pkcs8), and keep the result where only you can read it";
            return Err(bad(reason.to_owned()));
        }
        let key =
            PrivateKeyDer::from_pem_slice(&pem).map_err(|_| bad("it has no private key in PEM form".to_owned()))?;
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_der());
        let pair = pair.map_err(|_| bad(format!("it is no key for {KIND}")))?;
        Ok(Self { path: path.to_owned(), pair })
    }

    /// A signature over `message`, in ASN.1.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        let bad = |_| SignatureError::Key { path: self.path.clone(), reason: "it did not sign".to_owned() };
        Ok(signature.map_err(bad)?.as_ref().to_vec())
    }

    /// The public half.
    pub(super) fn public(&self) -> Result<TrustedKeys, SignatureError> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.pair.public_key().as_ref());
        let bad = |_| SignatureError::Key { path: self.path.clone(), reason: "it has no public half".to_owned() };
        Ok(TrustedKeys(vec![(self.path.clone(), key.map_err(bad)?)]))
    }
}

const KIND: &str = "ECDSA on P-256; make one with: openssl ecparam -name prime256v1 -genkey -noout -out FILE";

fn public(path: &Path) -> Result<ParsedPublicKey, SignatureError> {
    let bad = |reason: String| SignatureError::Key { path: path.to_owned(), reason };
    let pem = small::read(path, LIMIT).map_err(|error| bad(error.to_string()))?;
    let key = SubjectPublicKeyInfoDer::from_pem_slice(&pem);
    let key = key.map_err(|_| bad("it has no public key in PEM form (BEGIN PUBLIC KEY)".to_owned()))?;
    ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.as_ref()).map_err(|_| bad(format!("it is no key for {KIND}")))
}
