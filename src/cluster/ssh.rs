//! How to log in to a host. Secrets are named here (an environment variable, a file), never held.

use std::path::PathBuf;

/// Where to log in, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// Host name or address to dial; the host's cluster address unless overridden.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// Private keys to try, in order. Empty: the agent, then the usual files in `~/.ssh`.
    pub identity_files: Vec<PathBuf>,
    /// Only the keys of `identity_files`, even when an agent offers more.
    pub identities_only: bool,
    /// How to become root.
    pub become_root: Become,
    /// Hosts to go through, nearest first.
    pub jumps: Vec<Jump>,
    /// Host keys pinned in the inventory (`ssh-ed25519 AAAA…`). When present, only these are accepted.
    pub host_keys: Vec<String>,
}

/// A host on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Login name.
    pub user: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Pinned host keys of the jump host.
    pub host_keys: Vec<String>,
}

/// How the agent gets root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Become {
    /// The login user is root already.
    Root,
    /// `sudo`, with a password where one is named.
    Sudo {
        /// Where the password comes from; none when sudo asks for none.
        password: Option<SecretSource>,
    },
}

/// Where a secret is read from at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable of the installer.
    Environment(String),
    /// A file on the bastion; its last newline is dropped.
    File(PathBuf),
    /// Asked for on the terminal, once per run.
    Prompt,
}
