//! Private keys that are open, for a whole run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{PrivateKey, decode_secret_key};
use zeroize::Zeroizing;

use super::key_file::is_locked;
use crate::remote::secrets::Secrets;

/// Opened keys by file. A passphrase costs a tenth of a second of hashing, which a thousand hosts need not repeat.
#[derive(Default)]
pub(in crate::remote) struct Keyring {
    open: Mutex<HashMap<PathBuf, Arc<PrivateKey>>>,
}

impl Keyring {
    /// The private key in `path`, unlocked; asks for its passphrase where it has one.
    pub(super) async fn open(&self, path: &Path, secrets: &Secrets) -> Result<Arc<PrivateKey>, String> {
        if let Some(key) = self.lock().get(path) {
            return Ok(Arc::clone(key));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| error.to_string())?);
        let key = if is_locked(&text) {
            let passphrase = secrets
                .passphrase(path, |secret| decode_secret_key(&text, Some(secret.expose())).is_ok())
                .await
                .map_err(|why| format!("it has a passphrase, and {why}"))?;
            decode_secret_key(&text, Some(passphrase.expose()))
        } else {
            decode_secret_key(&text, None)
        };
        let key = Arc::new(key.map_err(|error| error.to_string())?);
        self.lock().insert(path.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<PrivateKey>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
