//! Encryption with age: machines that save hold public keys only, and whoever restores has the other half.

use std::io::{self, Read, Write};
use std::path::Path;

use age::stream::StreamWriter;
use age::x25519;

/// What is written to `into` can be read by `recipients` only, public keys of age.
pub(crate) fn seal(recipients: &[String], from: &mut dyn Read, into: &mut dyn Write) -> io::Result<()> {
    let mut sealed = sealing(recipients, into)?;
    io::copy(from, &mut sealed)?;
    sealed.finish().map(drop)
}

/// The same for what is written piece by piece; only [`StreamWriter::finish`] makes it whole.
pub(crate) fn sealing<W: Write>(recipients: &[String], into: W) -> io::Result<StreamWriter<W>> {
    let recipients = recipients.iter().map(|text| recipient(text)).collect::<Result<Vec<_>, _>>();
    let recipients = recipients.map_err(io::Error::other)?;
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|one| one as &dyn age::Recipient));
    encryptor.map_err(io::Error::other)?.wrap_output(into)
}

/// Reads what was sealed, with the identities in a file as `age-keygen` writes it.
pub fn unseal(identities: &Path, from: impl Read, into: &mut dyn Write) -> io::Result<()> {
    let named = |why: String| io::Error::other(format!("{}: {why}", identities.display()));
    let text = std::fs::read_to_string(identities).map_err(|error| named(error.to_string()))?;
    // The words of a line that is none must not be shown: it may be most of a key.
    let parsed: Result<Vec<x25519::Identity>, _> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::parse).collect();
    let parsed = parsed.map_err(|_| named("a line of it is no identity of age (AGE-SECRET-KEY-1…)".to_owned()))?;
    let opened = age::Decryptor::new(from)
        .and_then(|decryptor| decryptor.decrypt(parsed.iter().map(|one| one as &dyn age::Identity)));
    let mut opened = opened.map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => named("none of its identities can read this file".to_owned()),
        error => io::Error::other(format!("it cannot be decrypted: {error}")),
    })?;
    io::copy(&mut opened, into).map(drop)
}

/// Whether `text` is a public key of age.
pub fn check_recipient(text: &str) -> Result<(), String> {
    recipient(text).map(drop)
}

fn recipient(text: &str) -> Result<x25519::Recipient, String> {
    text.parse().map_err(|_| format!("{text:?} is no public key of age (age1…)"))
}

#[cfg(test)]
pub(crate) mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    /// A public key, and a file's worth of the secret one.
    pub(crate) fn pair() -> (String, String) {
        let identity = x25519::Identity::generate();
        let secret = format!("# created: now\n{}\n", identity.to_string().expose_secret());
        (identity.to_public().to_string(), secret)
    }

    #[test]
    fn only_who_has_the_other_half_can_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let ((public, secret), (_, other)) = (pair(), pair());
        let mut sealed = Vec::new();
        let content = vec![7; 200_000];
        seal(std::slice::from_ref(&public), &mut content.as_slice(), &mut sealed).unwrap();
        let mut opened = Vec::new();
        unseal(&file("key", &secret), sealed.as_slice(), &mut opened).unwrap();
        assert_eq!(opened, content);
        let refused =
            |identities: &Path, sealed: &[u8]| unseal(identities, sealed, &mut io::sink()).unwrap_err().to_string();
        assert!(refused(&file("other", &other), &sealed).contains("other: none of its identities"));
        let broken = secret.trim_end().to_owned() + "x";
        let error = refused(&file("broken", &broken), &sealed);
        assert!(error.contains("no identity of age") && !error.contains(secret.trim()), "{error}");
        // Cut short, or changed.
        refused(&file("key", &secret), &sealed[..sealed.len() - 1]);
        let last = sealed.len() - 100;
        sealed[last] ^= 1;
        refused(&file("key", &secret), &sealed);
        assert!(seal(&["age1x".into()], &mut io::empty(), &mut io::sink()).unwrap_err().to_string().contains("age1x"));
        assert!(check_recipient(&public).is_ok());
    }
}
