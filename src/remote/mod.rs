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
