//! Signatures of images, in cosign's format, so that cosign and podman's `policy.json` read them: beside the image, an
//! artifact named `sha256-DIGEST.sig`, whose layers say which digest was signed. (`cosign` is not needed; its own crate
//! would double what this program is made of.)
//!
//! The digest is all that counts here: an image may move to another registry, and its signature stays good.

mod keys;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

pub use keys::{SigningKey, TrustedKeys};

use super::blobs::Blobs;
use super::oci::{self, Descriptor, Manifest};
use super::{ImageError, digest, tree};

/// Media type of what is signed.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Annotation with the signature over it.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What a payload says that it is.
const TYPE: &str = "cosign container image signature";
/// A payload is a line of JSON.
const PAYLOAD_LIMIT: u64 = 64 << 10;

/// Why an image is not trusted, or cannot be signed.
#[derive(Debug, Error)]
pub enum SignatureError {
    /// A key is not usable.
    #[error("the key {path} cannot be used: {reason}")]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no signature.
    #[error(
        "{reference} (sha256:{sha256}) is not signed, but a signature is demanded; sign it with: kubewright image sign {reference} --key FILE"
    )]
    Unsigned {
        /// The image.
        reference: String,
        /// Its digest.
        sha256: String,
    },
    /// There are signatures, by others or of something else.
    #[error(
        "{reference} (sha256:{sha256}) is signed, but not by {}: {}; name the key of whoever signed it, if you trust \
         them, or take another image",
        list(.keys), .reasons.join("; ")
    )]
    Untrusted {
        /// The image.
        reference: String,
        /// Its digest.
        sha256: String,
        /// Keys that would be good.
        keys: Vec<PathBuf>,
        /// What is wrong with each signature.
        reasons: Vec<String>,
    },
}

fn list(keys: &[PathBuf]) -> String {
    keys.iter().map(|key| key.display().to_string()).collect::<Vec<_>>().join(" or ")
}

/// What was signed, and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// The tag of the signatures of the image with this digest.
pub(super) fn tag(sha256: &str) -> String {
    format!("sha256-{sha256}.sig")
}

/// Whether `text` is such a tag.
pub(super) fn is_signature_tag(text: &str) -> bool {
    text.strip_prefix("sha256-").and_then(|rest| rest.strip_suffix(".sig")).is_some_and(digest::is_sha256)
}

/// The signatures in the artifact `descriptor`.
pub(super) fn read(blobs: &Blobs, reference: &str, descriptor: &Descriptor) -> Result<Vec<Signature>, ImageError> {
    let (_, layers) = artifact(blobs, reference, descriptor)?;
    let payload = |layer: &Descriptor| -> Result<Option<Signature>, ImageError> {
        let signature = layer.annotations.get(SIGNATURE).and_then(|text| STANDARD.decode(text).ok());
        match signature {
            Some(signature) if layer.media_type == PAYLOAD && layer.size <= PAYLOAD_LIMIT => {
                let payload = tree::document(blobs, reference, "a signature", layer)?;
                Ok(Some(Signature { payload, signature }))
            }
            _ => Ok(None),
        }
    };
    layers.iter().filter_map(|layer| payload(layer).transpose()).collect()
}

fn artifact(
    blobs: &Blobs,
    reference: &str,
    descriptor: &Descriptor,
) -> Result<(Manifest, Vec<Descriptor>), ImageError> {
    let bytes = tree::document(blobs, reference, "the list of its signatures", descriptor)?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| tree::unsuitable(reference, format!("the list of its signatures: {error}")))?;
    let layers = manifest.layers.clone();
    Ok((manifest, layers))
}

/// Refuses the image with the digest `sha256`, unless one of `signatures` is over it and by one of `keys`. Returns the
/// file of that key.
pub(super) fn check(
    keys: &TrustedKeys,
    reference: &str,
    sha256: &str,
    signatures: &[Signature],
) -> Result<PathBuf, SignatureError> {
    let (reference, sha256) = (reference.to_owned(), sha256.to_owned());
    if signatures.is_empty() {
        return Err(SignatureError::Unsigned { reference, sha256 });
    }
    let mut reasons = Vec::new();
    for signature in signatures {
        match keys.signer(&signature.payload, &signature.signature) {
            None => reasons.push("a signature by another key, or a false one".to_owned()),
            // Only after that, the text is worth reading.
            Some(key) => match covers(&signature.payload, &sha256) {
                Ok(()) => return Ok(key.to_owned()),
                Err(reason) => reasons.push(reason),
            },
        }
    }
    Err(SignatureError::Untrusted { reference, sha256, keys: keys.names(), reasons })
}

/// Refuses a payload about another image.
fn covers(payload: &[u8], sha256: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Payload {
        critical: Critical,
    }
    #[derive(Deserialize)]
    struct Critical {
        image: Image,
        #[serde(rename = "type")]
        kind: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Image {
        docker_manifest_digest: String,
    }
    let parsed: Payload =
        serde_json::from_slice(payload).map_err(|error| format!("a signature of something else ({error})"))?;
    if parsed.critical.kind != TYPE {
        return Err(format!("a signature of something else ({:?})", parsed.critical.kind));
    }
    match parsed.critical.image.docker_manifest_digest {
        digest if digest == format!("sha256:{sha256}") => Ok(()),
        digest => Err(format!("a signature of another image ({digest})")),
    }
}

/// Signs the image with the digest `sha256`, which is known as `name`, and stores the artifact with this signature and
/// those of `existing`. Returns `None` when the key has signed it before.
pub(super) fn sign(
    key: &SigningKey,
    blobs: &Blobs,
    reference: &str,
    name: &str,
    sha256: &str,
    existing: Option<&Descriptor>,
) -> Result<Option<Descriptor>, ImageError> {
    let mut layers = Vec::new();
    if let Some(existing) = existing {
        let signatures = read(blobs, reference, existing)?;
        if check(&key.public()?, reference, sha256, &signatures).is_ok() {
            return Ok(None);
        }
        layers = artifact(blobs, reference, existing)?.1;
    }
    let failed = |error| ImageError::io("store the signature in", &blobs.path(""))(error);
    let payload = payload(name, sha256);
    let mut layer = Descriptor::new(PAYLOAD, &blobs.put(&payload).map_err(failed)?);
    layer.annotations.insert(SIGNATURE.to_owned(), STANDARD.encode(key.sign(&payload)?));
    layers.push(layer);
    let config = blobs.put(&config(&layers)).map_err(failed)?;
    let mut manifest = Manifest::new(&config, &[]);
    manifest.layers = layers;
    let manifest = serde_json::to_vec(&manifest).map_err(|error| failed(error.into()))?;
    Ok(Some(Descriptor::new(oci::MANIFEST, &blobs.put(&manifest).map_err(failed)?)))
}

fn payload(name: &str, sha256: &str) -> Vec<u8> {
    let critical = json!({
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": format!("sha256:{sha256}")},
        "type": TYPE,
    });
    json!({"critical": critical, "optional": null}).to_string().into_bytes()
}

/// The config of the artifact, of which only the list of layers is used.
fn config(layers: &[Descriptor]) -> Vec<u8> {
    let digests: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let root = json!({"type": "layers", "diff_ids": digests});
    json!({"architecture": "", "os": "", "config": {}, "rootfs": root}).to_string().into_bytes()
}

#[cfg(test)]
mod tests;
