//! A private key in a file, with the certificate that lies beside it.

use std::io;
use std::path::{Path, PathBuf};

use russh::keys::{Certificate, Error, PrivateKey, PublicKey, decode_secret_key};
use zeroize::Zeroizing;

/// What a key file says before anybody types a passphrase.
#[derive(Debug)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// The public half: from the key itself, or from `KEY.pub` where the key hides it.
    pub(super) public: Option<PublicKey>,
    /// `KEY-cert.pub`.
    pub(super) certificate: Option<Certificate>,
    /// Why a certificate that is there is no use.
    pub(super) certificate_problem: Option<String>,
    /// The file is itself a public key: its private half is in the agent.
    pub(super) public_only: bool,
}

/// Reads `path`; `Ok(None)` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<KeyFile>, String> {
    let text = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        let base = path.with_extension("");
        let (certificate, certificate_problem) = certificate(&base, &public);
        let path = path.to_owned();
        return Ok(Some(KeyFile { path, public: Some(public), certificate, certificate_problem, public_only: true }));
    }
    let public = match PrivateKey::from_openssh(text.as_str()) {
        // The OpenSSH format shows the public half even when the private one is encrypted.
        Ok(key) => Some(key.public_key().clone()),
        Err(_) => match decode_secret_key(&text, None) {
            Ok(key) => Some(key.public_key().clone()),
            Err(_) if is_locked(&text) => public_beside(path),
            Err(error) => return Err(format!("it is not a private key that can be used here ({error})")),
        },
    };
    let (certificate, certificate_problem) =
        public.as_ref().map_or((None, None), |public| self::certificate(path, public));
    let path = path.to_owned();
    Ok(Some(KeyFile { path, public, certificate, certificate_problem, public_only: false }))
}

/// Whether the private key in `text` needs a passphrase.
pub(super) fn is_locked(text: &str) -> bool {
    match PrivateKey::from_openssh(text) {
        Ok(key) => key.is_encrypted(),
        Err(_) => {
            matches!(decode_secret_key(text, None), Err(Error::KeyIsEncrypted))
                || text.contains("ENCRYPTED")
                || (text.starts_with("PuTTY-User-Key-File-") && !text.contains("Encryption: none"))
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn public_beside(path: &Path) -> Option<PublicKey> {
    let text = std::fs::read_to_string(with_suffix(path, ".pub")).ok()?;
    PublicKey::from_openssh(text.trim()).ok()
}

fn certificate(path: &Path, public: &PublicKey) -> (Option<Certificate>, Option<String>) {
    let path = with_suffix(path, "-cert.pub");
    let problem = |why: String| (None, Some(format!("{}: {why}", path.display())));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
        Err(error) => return problem(error.to_string()),
    };
    match Certificate::from_openssh(&text) {
        Ok(certificate) if certificate.public_key() == public.key_data() => (Some(certificate), None),
        Ok(_) => problem("it is the certificate of another key".into()),
        Err(error) => problem(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by ssh-keygen for this test: ed25519, passphrase `letmein`; and the same key as a PEM file would hide it.
    const LOCKED: &str = include_str!("testdata/locked");

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn a_locked_key_shows_its_public_half() {
        let (_directory, path) = file("key", LOCKED);
        let read = read(&path).unwrap().unwrap();
        assert!(read.public.is_some() && !read.public_only && read.certificate.is_none());
        assert!(is_locked(LOCKED));
    }

    #[test]
    fn a_missing_file_is_no_error_and_rubbish_is() {
        assert!(read(Path::new("/nowhere/key")).unwrap().is_none());
        let (_directory, path) = file("key", "hello");
        assert!(read(&path).unwrap_err().starts_with("it is not a private key"));
        assert!(read(Path::new("/proc")).is_err());
    }

    #[test]
    fn a_public_key_stands_for_one_in_the_agent() {
        let public = PrivateKey::from_openssh(LOCKED).unwrap().public_key().to_openssh().unwrap();
        let (_directory, path) = file("key.pub", &public);
        assert!(read(&path).unwrap().unwrap().public_only);
    }

    #[test]
    fn a_certificate_of_another_key_is_named() {
        let (directory, path) = file("key", LOCKED);
        let other = include_str!("../host_keys/testdata/user-cert.pub");
        std::fs::write(directory.path().join("key-cert.pub"), other).unwrap();
        let read = read(&path).unwrap().unwrap();
        assert!(read.certificate_problem.unwrap().ends_with("key-cert.pub: it is the certificate of another key"));
    }
}
