//! A connection to one host.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::time::timeout;

use super::agent::Agent;
use super::become_root::Way;
use super::binary::AgentBinary;
use super::bootstrap::{NotStarted, Present, Start};
use super::client::{Client, EndReason};
use super::error::{RemoteError, Trouble};
use super::exec::Exec;
use super::options::Options;
use super::route::Hop;
use super::secrets::Secrets;
use super::stream::Stream;
use crate::cluster::Become;

/// An authenticated session with one server, and with those on the way to it.
pub(super) struct Link {
    pub(super) handle: Handle<Client>,
    pub(super) ended: EndReason,
    pub(super) hop: Hop,
    /// The session through which this one goes; it must live as long.
    pub(super) _via: Option<Box<Link>>,
}

/// A connection to one host. Ends when it is dropped.
pub struct Connection {
    pub(super) host: String,
    pub(super) link: Link,
    pub(super) become_root: Become,
    pub(super) options: Arc<Options>,
    pub(super) secrets: Arc<Secrets>,
}

impl Connection {
    /// Host name of the inventory.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.link.handle.is_closed()
    }

    /// Why the whole connection has ended, in words, where that is known.
    pub fn end_reason(&self) -> Option<String> {
        self.link.ended.get().cloned()
    }

    /// Why the session has ended, if it has.
    pub fn ended(&self) -> Option<RemoteError> {
        self.is_closed().then(|| self.lost("staying connected"))
    }

    /// Starts the agent as root, after bringing `binary` to the host if it is not there.
    pub async fn agent(&self, binary: &AgentBinary) -> Result<Agent, RemoteError> {
        match self.start(binary, Present::Reuse).await {
            Err(NotStarted::Unusable) => match self.start(binary, Present::Replace).await {
                Ok(agent) => Ok(agent),
                Err(NotStarted::Failed(error)) => Err(error),
                // Nothing was reused this time, so this does not happen; but it is an error, not a panic.
                Err(NotStarted::Unusable) => Err(self.start_error("it does not run".into(), "look at the host")),
            },
            Err(NotStarted::Failed(error)) => Err(error),
            Ok(agent) => Ok(agent),
        }
    }

    async fn start(&self, binary: &AgentBinary, present: Present) -> Result<Agent, NotStarted> {
        let nonce = nonce().ok_or_else(|| {
            NotStarted::Failed(self.start_error("this system gives no random numbers".into(), "check /dev/urandom"))
        })?;
        let way = Way::new(&self.become_root, &self.link.hop.user, &nonce);
        let start = Start {
            host: &self.host,
            user: &self.link.hop.user,
            way,
            nonce,
            binary,
            present,
            secrets: &self.secrets,
            limit: self.options.start_timeout,
        };
        let channel = self.session().await.map_err(NotStarted::Failed)?;
        let asked = channel.exec(true, start.command_line()).await;
        let mut exec = Exec::new(channel);
        if asked.is_err() {
            return Err(NotStarted::Failed(self.lost("starting the agent")));
        }
        start.drive(&mut exec).await?;
        Agent::new(self.host.clone(), exec, &self.options).await.map_err(NotStarted::Failed)
    }

    async fn session(&self) -> Result<Channel<Msg>, RemoteError> {
        match timeout(self.options.start_timeout, self.link.handle.channel_open_session()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(why))) => Err(self.start_error(
                format!("sshd opens no further session ({})", why.description()),
                "raise MaxSessions in the host's sshd_config and reload sshd there",
            )),
            Ok(Err(_)) => Err(self.lost("opening a session")),
            Err(_) => Err(self.timed_out("opening a session", self.options.start_timeout)),
        }
    }

    /// Opens a TCP connection from the host to `host`:`port`, as seen from there.
    pub async fn dial(&self, host: &str, port: u16) -> Result<Stream, RemoteError> {
        let tried = format!("connecting from the host to {host}:{port}");
        match self.link.dial(host, port, self.options.connect_timeout).await {
            Ok(stream) => Ok(stream),
            Err(Dial::Refused(why)) => {
                let trouble = Trouble::new(&self.host, tried, why.description());
                Err(RemoteError::Unreachable(Box::new(trouble.hint(dial_hint(&why)))))
            }
            Err(Dial::Ended) => Err(self.lost(&tried)),
            Err(Dial::Slow) => Err(self.timed_out(&tried, self.options.connect_timeout)),
        }
    }

    fn start_error(&self, came_back: String, hint: &str) -> RemoteError {
        RemoteError::Start(Box::new(Trouble::new(&self.host, "starting the agent", came_back).hint(hint)))
    }

    fn lost(&self, tried: &str) -> RemoteError {
        let why = self.link.ended.get().cloned().unwrap_or_else(|| "the session ended".to_owned());
        let hint = "run again: what was done so far is kept";
        RemoteError::Lost(Box::new(Trouble::new(&self.host, tried, why).hint(hint)))
    }

    fn timed_out(&self, tried: &str, limit: Duration) -> RemoteError {
        let why = format!("no answer for {} s", limit.as_secs());
        let hint = "is the host overloaded? log in by hand and look";
        RemoteError::Timeout(Box::new(Trouble::new(&self.host, tried, why).hint(hint)))
    }
}

/// Why a server made no TCP connection for us.
pub(super) enum Dial {
    Refused(ChannelOpenFailure),
    Ended,
    Slow,
}

/// What to do when a server made no TCP connection for us.
pub(super) fn dial_hint(why: &ChannelOpenFailure) -> &'static str {
    match why {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "sshd there forbids it: allow TCP forwarding (AllowTcpForwarding, PermitOpen) for this user"
        }
        _ => "does something listen there, and can it be reached from that host?",
    }
}

impl Link {
    /// A TCP connection from this server to `host`:`port`.
    pub(super) async fn dial(&self, host: &str, port: u16, limit: Duration) -> Result<Stream, Dial> {
        let open = self.handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
        match timeout(limit, open).await {
            Ok(Ok(channel)) => Ok(Stream::new(channel, Arc::clone(&self.ended))),
            Ok(Err(russh::Error::ChannelOpenFailure(why))) => Err(Dial::Refused(why)),
            Ok(Err(_)) => Err(Dial::Ended),
            Err(_) => Err(Dial::Slow),
        }
    }
}

/// A word that no output contains by chance.
fn nonce() -> Option<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
