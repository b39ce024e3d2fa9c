//! SSH: connect, authenticate, agent sessions, tunnels.
//!
//! ```text
//! Connector ── connect(&Host) ──> Connection ── agent(&AgentBinary) ──> Agent ── request, put
//!                                            └─ dial(host, port) ──> Stream;  Tunnel::open ──> 127.0.0.1:PORT
//! ```
//! One connection per host and run. Everything that russh leaves open is closed here: strict host keys, deadlines,
//! a reader that never stops reading (an unread channel would freeze its whole connection), and writers that notice
//! that the other side is gone.

mod agent;
mod authenticate;
mod become_root;
mod binary;
mod bootstrap;
mod client;
mod connection;
mod connector;
mod error;
mod exec;
mod handshake_limit;
mod host_keys;
mod identity;
mod incoming;
mod marker;
mod options;
mod quote;
mod route;
mod secret;
mod secrets;
mod ssh_config;
mod stall;
mod stream;
mod tail;
mod tunnel;

pub use agent::Agent;
pub use binary::AgentBinary;
pub use connection::Connection;
pub use connector::Connector;
pub use error::{RemoteError, Trouble};
pub use options::{HostKeyPolicy, Options};
pub use secret::{Prompt, PromptError, Secret, TerminalPrompt};
pub use stream::Stream;
pub use tunnel::Tunnel;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cluster::Host;
    use crate::host::protocol::ToAgent;
    use crate::image::Blob;

    /// Compiles only as long as hosts can be worked on in tasks of their own.
    #[allow(dead_code)]
    fn hosts_are_worked_on_in_tasks(connector: Arc<Connector>, host: Host, binary: AgentBinary, blob: Blob) {
        tokio::spawn(async move {
            let connection = connector.connect(&host).await?;
            let mut agent = connection.agent(&binary).await?;
            agent.request(ToAgent::Facts, &mut |_| {}).await?;
            agent.put(&blob, 0, tokio::io::empty(), &mut |_| {}).await?;
            let tunnel = Tunnel::open(Arc::new(connection), "127.0.0.1", 6443).await?;
            agent.close().await;
            Ok::<_, RemoteError>(tunnel)
        });
    }
}
