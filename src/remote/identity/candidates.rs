//! What to try on a server, in which order.

use std::path::{Path, PathBuf};

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{Certificate, HashAlg, PublicKey};
use tokio::net::UnixStream;

use super::key_file::{self, KeyFile};
use crate::remote::route::Identities;

/// One key, or one certificate with its key.
#[derive(Debug, Clone)]
pub(in crate::remote) struct Candidate {
    /// For messages: the file, or the agent's comment.
    pub(in crate::remote) label: String,
    /// The public half; none for a locked key that hides it.
    pub(in crate::remote) public: Option<PublicKey>,
    pub(in crate::remote) certificate: Option<Certificate>,
    /// Where the private half is; none: in the agent.
    pub(in crate::remote) file: Option<PathBuf>,
}

/// Candidates, and what is worth telling when none of them works.
#[derive(Debug, Default)]
pub(in crate::remote) struct Candidates {
    pub(in crate::remote) list: Vec<Candidate>,
    pub(in crate::remote) notes: Vec<String>,
}

/// Collects what `identities` and the agent offer. Named files come first, because sshd counts every
/// try; usual files come after the agent's keys, because they may ask for a passphrase.
pub(in crate::remote) async fn candidates(identities: &Identities, agent: Option<Agent<'_>>) -> Candidates {
    let mut found = Candidates::default();
    let held = match agent {
        Some(agent) => agent_keys(agent).await.unwrap_or_else(|why| {
            found.notes.push(format!("agent {}: {why}", agent.socket.display()));
            Vec::new()
        }),
        None => Vec::new(),
    };
    let mut files = Vec::new();
    for path in &identities.files {
        match key_file::read(path) {
            Ok(Some(file)) => files.push(file),
            Ok(None) if identities.named => found.notes.push(format!("{}: there is no such file", path.display())),
            Ok(None) => {}
            Err(why) => found.notes.push(format!("{}: {why}", path.display())),
        }
    }
    found.notes.extend(files.iter().filter_map(|file| file.certificate_problem.clone()));
    found.list = order(&files, held, identities);
    found
}

fn order(files: &[KeyFile], held: Vec<AgentIdentity>, identities: &Identities) -> Vec<Candidate> {
    let from_files = files.iter().flat_map(|file| from_file(file, &held));
    let in_files = |identity: &AgentIdentity| {
        files.iter().any(|file| file.public.as_ref().is_some_and(|public| same(public, &identity.public_key())))
    };
    let from_agent = held.iter().filter(|identity| {
        // A certificate in the agent goes with the key that is named.
        let certificate = matches!(identity, AgentIdentity::Certificate { .. });
        if in_files(identity) { certificate } else { !identities.only }
    });
    let from_agent = from_agent.cloned().map(from_agent_identity);
    if identities.named { from_files.chain(from_agent).collect() } else { from_agent.chain(from_files).collect() }
}

fn from_file(file: &KeyFile, held: &[AgentIdentity]) -> Vec<Candidate> {
    let in_agent = file.public.as_ref().is_some_and(|public| {
        held.iter()
            .any(|identity| matches!(identity, AgentIdentity::PublicKey { .. }) && same(public, &identity.public_key()))
    });
    if file.public_only && !in_agent {
        return Vec::new();
    }
    // The agent signs for a file that it holds: no passphrase is needed then.
    let plain = Candidate {
        label: file.path.display().to_string(),
        public: file.public.clone(),
        certificate: None,
        file: (!in_agent).then(|| file.path.clone()),
    };
    let certified = file.certificate.clone().map(|certificate| Candidate {
        label: format!("{}-cert.pub", file.path.display()),
        certificate: Some(certificate),
        ..plain.clone()
    });
    certified.into_iter().chain([plain]).collect()
}

fn from_agent_identity(identity: AgentIdentity) -> Candidate {
    let public = identity.public_key().into_owned();
    let label = match identity.comment() {
        "" => format!("agent's {}", public.fingerprint(HashAlg::Sha256)),
        comment => format!("agent's {comment}"),
    };
    let certificate = match identity {
        AgentIdentity::Certificate { certificate, .. } => Some(certificate),
        AgentIdentity::PublicKey { .. } => None,
    };
    Candidate { label, public: Some(public), certificate, file: None }
}

fn same(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}

/// The user's SSH agent, for a login to one server.
#[derive(Clone, Copy)]
pub(in crate::remote) struct Agent<'a> {
    pub(in crate::remote) socket: &'a Path,
    /// Proof of which server it is; the agent shows keys that are constrained to some destinations only with it.
    pub(in crate::remote) binding: Option<&'a AgentSessionBinding>,
}

impl Agent<'_> {
    pub(super) async fn connect(&self) -> Result<AgentClient<UnixStream>, String> {
        let mut client = AgentClient::connect_uds(self.socket).await.map_err(|error| error.to_string())?;
        if let Some(binding) = self.binding {
            // Agents that do not know this refuse it, and have no constrained keys either.
            let _ = client.bind_session(binding, false).await;
        }
        Ok(client)
    }
}

async fn agent_keys(agent: Agent<'_>) -> Result<Vec<AgentIdentity>, String> {
    agent.connect().await?.request_identities().await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PublicKey {
        PublicKey::from(russh::keys::ssh_key::public::Ed25519PublicKey([byte; 32]))
    }

    fn file(name: &str, byte: u8, public_only: bool) -> KeyFile {
        KeyFile {
            path: name.into(),
            public: Some(key(byte)),
            certificate: None,
            certificate_problem: None,
            public_only,
        }
    }

    fn held(comment: &str, byte: u8) -> AgentIdentity {
        AgentIdentity::PublicKey { key: key(byte), comment: comment.into() }
    }

    fn labels(files: &[KeyFile], agent: &[AgentIdentity], named: bool, only: bool) -> Vec<String> {
        let identities = Identities { files: Vec::new(), named, only };
        let signed_by = |candidate: Candidate| match candidate.file {
            Some(_) => candidate.label,
            None => format!("{} (agent)", candidate.label.replace("agent's ", "")),
        };
        order(files, agent.to_vec(), &identities).into_iter().map(signed_by).collect()
    }

    #[test]
    fn the_order_follows_what_was_named() {
        let (files, agent) = ([file("a", 1, false), file("b", 2, false)], [held("x", 9), held("b", 2)]);
        assert_eq!(labels(&files, &agent, true, false), ["a", "b (agent)", "x (agent)"]);
        assert_eq!(labels(&files, &agent, false, false), ["x (agent)", "a", "b (agent)"]);
        assert_eq!(labels(&files, &agent, true, true), ["a", "b (agent)"]);
        assert_eq!(labels(&[], &agent, false, false), ["x (agent)", "b (agent)"]);
    }

    #[test]
    fn a_public_key_file_needs_the_agent() {
        assert_eq!(labels(&[file("a.pub", 1, true)], &[held("x", 1)], true, true), ["a.pub (agent)"]);
        assert_eq!(labels(&[file("a.pub", 1, true)], &[], true, true), Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_noted() {
        let identities = Identities { files: vec!["/nowhere/key".into()], named: true, only: false };
        let agent = Agent { socket: Path::new("/nowhere/agent"), binding: None };
        let found = candidates(&identities, Some(agent)).await;
        assert!(found.list.is_empty());
        assert_eq!(found.notes.len(), 2);
        assert_eq!(found.notes[1], "/nowhere/key: there is no such file");
        assert!(found.notes[0].starts_with("agent /nowhere/agent: "));
        let usual = Identities { named: false, ..identities };
        assert_eq!(candidates(&usual, None).await.notes, Vec::<String>::new());
    }
}
