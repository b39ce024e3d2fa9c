//! How hosts take blobs by themselves: from each other, or from a registry. Part of [`super::protocol`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::image::Blob;

/// What a host needs to give blobs to the others of its run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Serve {
    /// Own address, and the port; 0 for any free one.
    pub address: SocketAddr,
    /// Who the host is.
    pub identity: PeerIdentity,
    /// Blobs of the run: those that are complete here are given, and those that will be as soon as they are.
    pub blobs: Vec<Blob>,
    /// Most bytes in a second, for all who ask.
    pub rate_limit: u64,
}

/// A host among those of a run: its certificate, for both ends of a connection, and the CA that all of them have.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerIdentity {
    /// PEM of the run's CA.
    pub authority: String,
    /// PEM of the host's certificate.
    pub certificate: String,
    /// PEM of its key.
    pub key: String,
}

impl fmt::Debug for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerIdentity(secret)")
    }
}

/// A blob to take.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fetch {
    /// The blob.
    pub blob: Blob,
    /// Where to begin: what [`super::protocol::Reply::Blobs`] said is there already.
    pub offset: u64,
    /// From where.
    pub from: Source,
}

/// Where a blob is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// At another host of the run.
    Peer {
        /// Where it listens.
        address: SocketAddr,
        /// Who asks.
        identity: PeerIdentity,
    },
    /// At a URL, a registry's for one.
    Web {
        /// All of it, the blob's digest included.
        url: String,
        /// Headers to send, credentials among them.
        headers: BTreeMap<String, String>,
        /// PEM of the CAs to trust besides the host's own.
        authorities: Option<String>,
    },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer { address, .. } => write!(f, "{address}"),
            // Signed URLs have secrets behind the question mark.
            Self::Web { url, .. } => f.write_str(url.split('?').next().unwrap_or(url)),
        }
    }
}

/// Where a host's blob is found by the others.
pub fn path_of(blob: &Blob) -> String {
    format!("{PATH}{}", blob.sha256)
}

/// What [`path_of`] begins with.
pub(super) const PATH: &str = "/blobs/sha256/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_ever_printed() {
        let identity = PeerIdentity { authority: "a".into(), certificate: "c".into(), key: "hunter2".into() };
        let blob = Blob { sha256: "0".repeat(64), size: 1 };
        let web = Source::Web {
            url: "https://registry.example/v2/x?token=hunter2".into(),
            headers: [("authorization".to_owned(), "Basic hunter2".to_owned())].into(),
            authorities: None,
        };
        let peer = Source::Peer { address: "10.1.0.1:10380".parse().unwrap(), identity: identity.clone() };
        let serve =
            Serve { address: "10.1.0.1:0".parse().unwrap(), identity, blobs: vec![blob.clone()], rate_limit: 1 };
        let shown = format!("{serve:?} {:?}", [web, peer].map(|from| Fetch { blob: blob.clone(), offset: 0, from }));
        assert!(shown.contains("registry.example/v2/x") && !shown.contains("hunter2"), "{shown}");
    }
}
