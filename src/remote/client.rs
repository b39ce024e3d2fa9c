//! Our side of an SSH session: its settings, the check of the server's key, and why it ended.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use russh::client::{ChannelOpenHandle, Config, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, Preferred, cipher};
use thiserror::Error;

use super::host_keys::{Expectation, HostKeys, Preference, Refusal};
use super::options::Options;

/// AES-GCM runs in hardware and is a quarter faster than russh's first choice.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The settings of a session that asks for `preference`.
pub(super) fn config(options: &Options, preference: Preference) -> Arc<Config> {
    Arc::new(Config {
        nodelay: true,
        keepalive_interval: Some(options.keepalive),
        keepalive_max: options.keepalive_count,
        preferred: Preferred {
            key: preference.keys,
            host_key_certificates: preference.certificates,
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::DEFAULT
        },
        ..Config::default()
    })
}

/// Why a session ended, where it was told. Readable by all who used the session.
pub(super) type EndReason = Arc<OnceLock<String>>;

/// What russh calls back.
pub(super) struct Client {
    pub(super) host_keys: Arc<HostKeys>,
    pub(super) expectation: Expectation,
    pub(super) ended: EndReason,
}

/// Why a session could not begin.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    /// The server's key is refused.
    #[error("{}", .0.came_back)]
    HostKey(Box<Refusal>),
}

// What the server may open towards us is nothing: we ask for no forwarding. russh would accept by default; a reply
// handle that is dropped refuses.
impl Handler for Client {
    type Error = ClientError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        let decision = self.host_keys.decide(&self.expectation, shown);
        decision.map(|()| true).map_err(|refusal| ClientError::HostKey(Box::new(refusal)))
    }

    async fn disconnected(&mut self, reason: DisconnectReason<ClientError>) -> Result<(), ClientError> {
        let text = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => format!("the server said: {}", info.message.trim_end()),
            DisconnectReason::Error(error) => end_of_session(error),
        };
        let _ = self.ended.set(text);
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }
}

/// russh's words for the end of a session, in ours.
pub(super) fn end_of_session(error: &ClientError) -> String {
    match error {
        ClientError::Ssh(russh::Error::KeepaliveTimeout) => "the other side stopped answering".into(),
        ClientError::Ssh(russh::Error::Disconnect | russh::Error::HUP) => "the other side closed the connection".into(),
        ClientError::Ssh(russh::Error::IO(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection".into()
        }
        other => other.to_string(),
    }
}
