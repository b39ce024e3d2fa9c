//! Logging in: one key after the other, until the server takes one.

use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::{Algorithm, HashAlg};
use russh::{MethodKind, MethodSet};

use super::client::Client;
use super::identity::{Agent, Candidate, Keyring, SignError, Signing, candidates};
use super::options::Options;
use super::route::Hop;
use super::secrets::Secrets;

/// Why there is no login.
pub(super) enum Denied {
    /// The server wants something else.
    Refused { came_back: String, hint: String },
    /// The session ended after these keys.
    Ended { tried: Vec<String> },
    /// No answer.
    Slow(Duration),
}

/// Logs in as the user of `hop`. Time in which a person types a passphrase does not count.
pub(super) async fn authenticate(
    handle: &mut Handle<Client>,
    hop: &Hop,
    options: &Options,
    keyring: &Keyring,
    secrets: &Secrets,
) -> Result<(), Denied> {
    let limit = options.connect_timeout * 3;
    let binding = handle.agent_session_binding().cloned();
    let agent = options.auth_socket.as_deref().map(|socket| Agent { socket, binding: binding.as_ref() });
    let mut found = candidates(&hop.identities, agent).await;
    let mut tried = std::mem::take(&mut found.notes);
    let mut offered = Vec::new();
    for candidate in &found.list {
        let signing = Signing { file: candidate.file.as_deref(), agent, keyring, secrets };
        let attempt = secrets.within(limit, offer(handle, &hop.user, candidate, signing)).await;
        offered.push(candidate.label.clone());
        match attempt.ok_or(Denied::Slow(limit))? {
            Ok(AuthResult::Success) => return Ok(()),
            // How russh tells that there is no answer any more.
            Ok(AuthResult::Failure { .. }) | Err(SignError::Session(_)) if handle.is_closed() => {
                return Err(Denied::Ended { tried: offered });
            }
            Err(SignError::Session(_)) => return Err(Denied::Ended { tried: offered }),
            Ok(AuthResult::Failure { partial_success: true, remaining_methods }) => {
                return Err(Denied::Refused {
                    came_back: format!(
                        "{} was taken, but the server also wants: {}",
                        candidate.label,
                        names(&remaining_methods)
                    ),
                    hint: "kubewright logs in with a key alone; exempt this user from the second factor".into(),
                });
            }
            Ok(AuthResult::Failure { remaining_methods, .. }) => {
                tried.push(format!("{}: refused", candidate.label));
                if !remaining_methods.contains(&MethodKind::PublicKey) {
                    return Err(Denied::Refused {
                        came_back: format!("the server takes no keys, only: {}", names(&remaining_methods)),
                        hint: "allow PubkeyAuthentication in its sshd_config".into(),
                    });
                }
            }
            Err(SignError::Key(why)) => tried.push(format!("{}: {why}", candidate.label)),
        }
    }
    let came_back = match (found.list.is_empty(), tried.is_empty()) {
        (true, true) => "there is no key to log in with".to_owned(),
        (true, false) => format!("there is no key to log in with{}", list(&tried)),
        (false, _) => format!("none of the keys is accepted{}", list(&tried)),
    };
    let hint = format!(
        "put the public half of the right key into ~{}/.ssh/authorized_keys there, or name that key \
         (`ssh.identityFile`) or load it (`ssh-add`)",
        hop.user
    );
    Err(Denied::Refused { came_back, hint })
}

async fn offer(
    handle: &mut Handle<Client>,
    user: &str,
    candidate: &Candidate,
    mut signing: Signing<'_>,
) -> Result<AuthResult, SignError> {
    let public = match &candidate.public {
        Some(public) => public.clone(),
        None => signing.public().await?,
    };
    let hash = match public.algorithm() {
        Algorithm::Rsa { .. } => Some(rsa_hash(handle).await?),
        _ => None,
    };
    match &candidate.certificate {
        Some(certificate) => handle.authenticate_certificate_with(user, certificate.clone(), hash, &mut signing).await,
        None => handle.authenticate_publickey_with(user, public, hash, &mut signing).await,
    }
}

/// The best hash for RSA that the server announces. One that announces nothing is tried with SHA-2; one that announces
/// SHA-1 alone is not obliged.
async fn rsa_hash(handle: &Handle<Client>) -> Result<HashAlg, SignError> {
    match handle.best_supported_rsa_hash().await {
        Ok(Some(Some(hash))) => Ok(hash),
        Ok(None) => Ok(HashAlg::Sha512),
        Ok(Some(None)) => Err(SignError::Key("the server takes RSA keys with SHA-1 only".into())),
        Err(_) => Err(SignError::Session(russh::SendError {})),
    }
}

fn names(methods: &MethodSet) -> String {
    let names: Vec<&str> = methods.iter().map(<&str>::from).collect();
    if names.is_empty() { "nothing that is known here".into() } else { names.join(", ") }
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    {line}")).collect()
}
