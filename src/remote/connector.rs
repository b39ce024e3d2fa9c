//! Connections to the hosts of a run.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::connect_stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::authenticate::{Denied, authenticate};
use super::client::{Client, ClientError, EndReason, config, end_of_session};
use super::connection::{Connection, Dial, Link, dial_hint};
use super::error::{RemoteError, Trouble};
use super::handshake_limit::HandshakeLimit;
use super::host_keys::{Expectation, HostKeys};
use super::identity::Keyring;
use super::options::Options;
use super::route::{Hop, route};
use super::secrets::Secrets;
use super::ssh_config::ClientConfig;
use super::stall::StallGuard;
use crate::cluster::Host;

/// Pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Makes connections: knows the user's keys and known hosts, asks for secrets once, paces handshakes. One for a run.
pub struct Connector {
    options: Arc<Options>,
    config: OnceLock<Result<ClientConfig, String>>,
    host_keys: Arc<HostKeys>,
    keyring: Keyring,
    secrets: Arc<Secrets>,
    handshakes: HandshakeLimit,
}

impl Connector {
    /// Reads nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            config: OnceLock::new(),
            host_keys: HostKeys::new(&options),
            keyring: Keyring::default(),
            secrets: Arc::new(Secrets::new(Arc::clone(&options.prompt))),
            handshakes: HandshakeLimit::new(options.handshakes),
            options: Arc::new(options),
        }
    }

    /// Connects to `host` and logs in. Tries again when there is no connection, never when a key or a login is
    /// refused.
    pub async fn connect(&self, host: &Host) -> Result<Connection, RemoteError> {
        let name = host.name.as_str();
        let local = |tried: &str, why: String, hint: &str| {
            RemoteError::Local(Box::new(Trouble::new(name, tried, why).hint(hint)))
        };
        let config = self.config.get_or_init(|| ClientConfig::load(&self.options)).as_ref();
        let config = config.map_err(|why| local("reading the SSH configuration", why.clone(), "correct that file"))?;
        let hops = route(&host.ssh, config, &self.options)
            .map_err(|why| local("finding the way to it", why, "correct the SSH configuration"))?;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        let link = loop {
            match self.link_all(name, &hops).await {
                Ok(link) => break link,
                Err(RemoteError::Unreachable(_) | RemoteError::Timeout(_))
                    if attempt < self.options.connect_attempts =>
                {
                    sleep(pause).await;
                    (pause, attempt) = (pause * 2, attempt + 1);
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Connection {
            host: name.to_owned(),
            link,
            become_root: host.ssh.become_root.clone(),
            options: Arc::clone(&self.options),
            secrets: Arc::clone(&self.secrets),
        })
    }

    async fn link_all(&self, name: &str, hops: &[Hop]) -> Result<Link, RemoteError> {
        let mut link = None;
        for (index, hop) in hops.iter().enumerate() {
            let role = if index + 1 == hops.len() { "" } else { "the jump host " };
            let attempt = Attempt { name, hop, address: format!("{role}{}", hop.address()) };
            link = Some(self.link(&attempt, link).await?);
        }
        let missing = || RemoteError::Local(Box::new(Trouble::new(name, "finding the way to it", "there is none")));
        link.ok_or_else(missing)
    }

    async fn link(&self, attempt: &Attempt<'_>, via: Option<Link>) -> Result<Link, RemoteError> {
        let hop = attempt.hop;
        let expectation = self.host_keys.expect(hop).map_err(|why| {
            attempt.local(why, "correct that; without it nobody can tell whether this is the right host")
        })?;
        let _permit = self.handshakes.acquire(hop.place()).await;
        let ended = EndReason::default();
        let limit = self.options.connect_timeout;
        let handle = match &via {
            None => {
                let session = async {
                    let stream = dial(hop).await.map_err(russh::Error::IO)?;
                    self.handshake(stream, expectation, &ended).await
                };
                timeout(limit, session).await.map_err(|_| attempt.silent(limit))?
            }
            Some(link) => {
                let stream = link.dial(&hop.host, hop.port, limit).await;
                let stream = stream.map_err(|why| attempt.not_through(&link.hop, why, limit))?;
                timeout(limit, self.handshake(stream, expectation, &ended)).await.map_err(|_| attempt.silent(limit))?
            }
        };
        let mut handle = handle.map_err(|error| attempt.no_handshake(&error))?;
        let denied = authenticate(&mut handle, hop, &self.options, &self.keyring, &self.secrets).await.err();
        match denied {
            None => Ok(Link { handle, ended, hop: hop.clone(), _via: via.map(Box::new) }),
            Some(denied) => Err(attempt.denied(denied, ended.get())),
        }
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        expectation: Expectation,
        ended: &EndReason,
    ) -> Result<russh::client::Handle<Client>, ClientError> {
        let config = config(&self.options, expectation.preference());
        let client = Client { host_keys: Arc::clone(&self.host_keys), expectation, ended: Arc::clone(ended) };
        let longest_write = self.options.keepalive * u32::try_from(self.options.keepalive_count + 1).unwrap_or(4);
        let give_up = CancellationToken::new();
        let stream = StallGuard::new(stream, longest_write, give_up.clone());
        // If we are cancelled, by the timeout for one, the session must not go on waiting for its peer.
        let abandoned = give_up.drop_guard();
        let handle = connect_stream(config, stream, client).await?;
        abandoned.disarm();
        Ok(handle)
    }
}

async fn dial(hop: &Hop) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((hop.host.as_str(), hop.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One server that is being connected to, for messages.
struct Attempt<'a> {
    /// Host name of the inventory.
    name: &'a str,
    hop: &'a Hop,
    /// The server, and whether it is on the way only.
    address: String,
}

impl Attempt<'_> {
    fn trouble(&self, came_back: impl Into<String>) -> Trouble {
        Trouble::new(self.name, format!("connecting to {}", self.address), came_back)
    }

    fn local(&self, why: String, hint: &str) -> RemoteError {
        RemoteError::Local(Box::new(self.trouble(why).hint(hint)))
    }

    fn silent(&self, limit: Duration) -> RemoteError {
        let why = format!("no SSH server answered within {} s", limit.as_secs_f32());
        let hint = "is the host up, the address right, and a firewall on the way?";
        RemoteError::Timeout(Box::new(self.trouble(why).hint(hint)))
    }

    fn not_through(&self, jump: &Hop, why: Dial, limit: Duration) -> RemoteError {
        match why {
            Dial::Refused(why) => {
                let came_back = format!("{} says: {}", jump.place(), why.description());
                RemoteError::Unreachable(Box::new(self.trouble(came_back).hint(dial_hint(&why))))
            }
            Dial::Ended => {
                let came_back = format!("the connection to {} ended", jump.place());
                RemoteError::Unreachable(Box::new(self.trouble(came_back).hint("look at the jump host's sshd")))
            }
            Dial::Slow => self.silent(limit),
        }
    }

    fn no_handshake(&self, error: &ClientError) -> RemoteError {
        if let ClientError::HostKey(refusal) = error {
            return RemoteError::HostKey(Box::new(self.trouble(&refusal.came_back).hint(&refusal.hint)));
        }
        let hint = match error {
            ClientError::Ssh(russh::Error::IO(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "does sshd run there, and on this port?",
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => BUSY,
                _ => "is the host up, the address right, and a firewall on the way?",
            },
            ClientError::Ssh(russh::Error::NoCommonAlgo { .. }) => {
                "its sshd is too old, or restricted to other algorithms"
            }
            ClientError::Ssh(russh::Error::Version) => "what listens there is no SSH server",
            _ => BUSY,
        };
        RemoteError::Unreachable(Box::new(self.trouble(end_of_session(error)).hint(hint)))
    }

    fn denied(&self, denied: Denied, ended: Option<&String>) -> RemoteError {
        let tried = format!("logging in to {}", self.address);
        let trouble = |came_back: String, hint: &str| Box::new(Trouble::new(self.name, &tried, came_back).hint(hint));
        match denied {
            Denied::Refused { came_back, hint } => RemoteError::Authentication(trouble(came_back, &hint)),
            Denied::Ended { tried } => {
                let why = ended.map_or("the other side closed the connection", String::as_str);
                // sshd counts every key that it was shown, and then hangs up.
                if why.contains("Too many authentication failures") {
                    let came_back = format!("{why} (offered: {})", tried.join(", "));
                    return RemoteError::Authentication(trouble(came_back, TOO_MANY));
                }
                RemoteError::Unreachable(trouble(why.to_owned(), BUSY))
            }
            Denied::Slow(limit) => {
                let came_back = format!("no answer within {} s", limit.as_secs_f32());
                RemoteError::Timeout(trouble(came_back, "does sshd there wait for a name server or a directory?"))
            }
        }
    }
}

const BUSY: &str = "sshd hung up: its log tells why; MaxStartups may be too low for this many connections";
const TOO_MANY: &str = "name the right key (`ssh.identityFile`) and set `ssh.identitiesOnly: true`";
