//! How connections are made, for a whole run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::secret::{Prompt, TerminalPrompt};
use crate::host::protocol::IDLE_LIMIT_SECONDS;

/// What happens to a host whose key is not recorded anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostKeyPolicy {
    /// It is refused.
    #[default]
    Strict,
    /// Its key is recorded, and the connection is made. A key that *differs* from a recorded one is still refused.
    AcceptNew,
}

/// How connections are made. The defaults are those of the user who runs the program.
#[derive(Clone)]
pub struct Options {
    /// Recorded host keys; the first file takes new ones.
    pub known_hosts: Vec<PathBuf>,
    /// What to do with a host that is in none of them.
    pub host_keys: HostKeyPolicy,
    /// OpenSSH client configurations, the first one wins; what the inventory says wins over them.
    pub ssh_config: Vec<PathBuf>,
    /// Where `~` is, and `.ssh` with the usual keys.
    pub home: PathBuf,
    /// Login name where neither the inventory nor the configuration has one.
    pub local_user: String,
    /// Socket of the SSH agent (`SSH_AUTH_SOCK`).
    pub auth_socket: Option<PathBuf>,
    /// Who is asked for passphrases and passwords.
    pub prompt: Arc<dyn Prompt>,
    /// Longest that a TCP connection with its handshake may take; authentication gets three times as much, because
    /// sshd may wait for a name server or a directory.
    pub connect_timeout: Duration,
    /// How often a connection that cannot be made is tried, with growing pauses.
    pub connect_attempts: u32,
    /// Silence after which the other side is asked whether it is still there.
    pub keepalive: Duration,
    /// Unanswered questions after which it is not.
    pub keepalive_count: usize,
    /// Handshakes at once with one server. sshd drops some of those above its `MaxStartups` (10 by default), and a
    /// bastion sees one for each host.
    pub handshakes: usize,
    /// Longest silence while the agent is brought to a host and started, sudo included.
    pub start_timeout: Duration,
    /// Longest silence of the agent within a request.
    pub answer_timeout: Duration,
    /// Pause after which the agent hears that we are still here.
    pub ping: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into()));
        Self {
            known_hosts: vec![home.join(".ssh/known_hosts"), "/etc/ssh/ssh_known_hosts".into()],
            host_keys: HostKeyPolicy::Strict,
            ssh_config: vec![home.join(".ssh/config"), "/etc/ssh/ssh_config".into()],
            local_user: local_user(),
            auth_socket: std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
            prompt: Arc::new(TerminalPrompt),
            connect_timeout: Duration::from_secs(10),
            connect_attempts: 3,
            keepalive: Duration::from_secs(15),
            keepalive_count: 3,
            handshakes: 8,
            start_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(15 * 60),
            ping: Duration::from_secs(IDLE_LIMIT_SECONDS / 4),
            home,
        }
    }
}

fn local_user() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map(|user| user.name).or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".to_owned())
}
