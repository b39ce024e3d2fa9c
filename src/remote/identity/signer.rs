//! Signing a login, once the server has said that it would take the key.

use std::path::Path;

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use thiserror::Error;

use super::candidates::Agent;
use super::keyring::Keyring;
use crate::remote::secrets::Secrets;

/// Signs with a key file, or through the agent. Only when it is called is a passphrase asked for: not for keys that
/// the server does not want anyway.
pub(in crate::remote) struct Signing<'a> {
    /// The key file; none: the agent has the key.
    pub(in crate::remote) file: Option<&'a Path>,
    pub(in crate::remote) agent: Option<Agent<'a>>,
    pub(in crate::remote) keyring: &'a Keyring,
    pub(in crate::remote) secrets: &'a Secrets,
}

/// Why there is no signature.
#[derive(Debug, Error)]
pub(in crate::remote) enum SignError {
    /// The session ended meanwhile.
    #[error("the connection ended")]
    Session(#[from] russh::SendError),
    /// The key could not be used.
    #[error("{0}")]
    Key(String),
}

impl Signing<'_> {
    /// The public half of a locked key that hides it: costs a passphrase.
    pub(in crate::remote) async fn public(&self) -> Result<PublicKey, SignError> {
        let path = self.file.ok_or_else(|| SignError::Key("its public half is nowhere".into()))?;
        let key = self.keyring.open(path, self.secrets).await.map_err(SignError::Key)?;
        Ok(key.public_key().clone())
    }
}

impl russh::Signer for Signing<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        key: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        match (self.file, self.agent) {
            (Some(path), _) => {
                let private = self.keyring.open(path, self.secrets).await.map_err(SignError::Key)?;
                // An RSA signature takes milliseconds in release builds only; the session loops must go on.
                let signed = tokio::task::spawn_blocking(move || sign(&private, hash, to_sign)).await;
                signed.map_err(|error| SignError::Key(error.to_string()))?.map_err(SignError::Key)
            }
            (None, Some(agent)) => {
                let mut agent = agent.connect().await.map_err(SignError::Key)?;
                let signed = agent.sign_request(key, hash, to_sign).await;
                signed.map_err(|error| SignError::Key(format!("the agent does not sign ({error})")))
            }
            (None, None) => Err(SignError::Key("its private half is nowhere".into())),
        }
    }
}

/// What was to be signed, and behind it the signature as a string of the SSH protocol.
fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut message: Vec<u8>) -> Result<Vec<u8>, String> {
    let signature: Signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&message),
        other => other.try_sign(&message),
    }
    .map_err(|error| format!("signing failed ({error})"))?;
    let encoded = signature.encode_vec().map_err(|error| error.to_string())?;
    encoded.encode(&mut message).map_err(|error| error.to_string())?;
    Ok(message)
}
