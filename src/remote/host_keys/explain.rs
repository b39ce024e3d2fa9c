//! Why a server's key is refused, in words that lead somewhere.

use std::path::Path;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{HashAlg, PublicKeyOrCertificate};

use super::expectation::{Expectation, Verdict};
use crate::remote::quote::command_line;

/// A refusal: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::remote) struct Refusal {
    pub(in crate::remote) came_back: String,
    pub(in crate::remote) hint: String,
}

/// Puts `verdict` on what the server has `shown` into words; `None` when it is trusted. `file` is where the user
/// records keys.
pub(super) fn explain(
    expectation: &Expectation,
    verdict: &Verdict,
    shown: &PublicKeyOrCertificate,
    file: &Path,
) -> Option<Refusal> {
    let name = &expectation.name;
    let key = fingerprint(shown.public_key().key_data());
    let (came_back, hint) = match verdict {
        Verdict::Trusted => return None,
        Verdict::Unknown => (
            format!("its host key is not known: {key}"),
            format!(
                "compare the fingerprint with the host's own (`ssh-keygen -lf` on its /etc/ssh/ssh_host_*_key.pub); \
                 if it is the same, record the key in {} (`ssh-keyscan`), pin it in the inventory, or accept new ones \
                 with --accept-new-host-keys",
                file.display()
            ),
        ),
        Verdict::Changed(lines) => {
            let recorded: Vec<String> = lines
                .iter()
                .map(|line| format!("\n    recorded  {} at {}", fingerprint(&line.key), line.place))
                .collect();
            let mut files: Vec<String> = lines.iter().map(|line| line.place.file.display().to_string()).collect();
            files.dedup();
            let remove = |file: &String| format!("`{}`", command_line(&["ssh-keygen", "-f", file, "-R", name]));
            let remove: Vec<String> = files.iter().map(remove).collect();
            (
                format!("ITS HOST KEY HAS CHANGED{}\n    shown     {key}", recorded.concat()),
                format!(
                    "either the host was reinstalled or somebody stands between. Ask whoever runs it for the \
                     fingerprint; only if it is the shown one, remove the recorded key with {} and connect again",
                    remove.join(" and ")
                ),
            )
        }
        Verdict::Revoked(place) => (
            format!("its host key {key}, or the authority that signed it, is revoked at {place}"),
            "the key is known to be compromised: give the host a new one before it is trusted again".to_owned(),
        ),
        Verdict::NotPinned(keys) => {
            let pinned: Vec<String> = keys.iter().map(|key| format!("\n    pinned  {}", fingerprint(key))).collect();
            (
                format!("its host key is none of those in the inventory{}\n    shown   {key}", pinned.concat()),
                "either the host was reinstalled or somebody stands between. Ask whoever runs it for the fingerprint; \
                 only if it is the shown one, put the new key into the inventory"
                    .to_owned(),
            )
        }
        Verdict::BadCertificate { why, authority } => (
            format!("its host certificate is not good: {why} (key {key}, authority at {authority})"),
            "have the authority sign a certificate for this name and time, and restart sshd there".to_owned(),
        ),
    };
    Some(Refusal { came_back, hint })
}

/// `ssh-ed25519 SHA256:…`.
fn fingerprint(key: &KeyData) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

#[cfg(test)]
mod tests {
    use russh::keys::PublicKey;

    use super::super::line::parse;
    use super::super::line::tests::{ECDSA, ED25519, OTHER};
    use super::*;

    fn words(expectation: &Expectation) -> String {
        let shown = PublicKey::from_openssh(ED25519).unwrap().into();
        let verdict = expectation.judge(&shown, 0);
        let refusal = explain(expectation, &verdict, &shown, Path::new("/home/ann/.ssh/known_hosts")).unwrap();
        format!("{}\n{}", refusal.came_back, refusal.hint)
    }

    fn recorded(text: &str) -> Expectation {
        Expectation::recorded("[m1]:2222".into(), "m1".into(), &parse(Path::new("/k"), text))
    }

    #[test]
    fn refusals_explain_themselves() {
        insta::assert_snapshot!("unknown", words(&recorded("")));
        insta::assert_snapshot!("changed", words(&recorded(&format!("[m1]:2222 {OTHER}\n\n[m1]:2222 {ECDSA}"))));
        insta::assert_snapshot!("revoked", words(&recorded(&format!("@revoked * {ED25519}"))));
        let pinned = Expectation::pinned("m1".into(), "m1".into(), &[OTHER.to_owned()]).unwrap();
        insta::assert_snapshot!("not_pinned", words(&pinned));
    }
}
