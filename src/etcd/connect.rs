//! A connection to one member, and never to several: what is asked here is different for each of them.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::EtcdError;
use crate::pki;

const CONNECT: Duration = Duration::from_secs(15);
/// A host that has lost its power says nothing: it is asked whether it lives. etcd suffers this from every 5 s on.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Bytes that may be under way: enough for a fast line with a long delay, little enough for every host.
const WINDOW: u32 = 4 << 20;

/// Who we are to a member, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// Certificate of etcd's CA.
    pub ca: String,
    /// Certificate of a client.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A member.
#[derive(Debug, Clone)]
pub struct MemberClient {
    pub(super) channel: Channel,
}

impl MemberClient {
    /// Connects to `address`, where the member whose certificate is for `name` answers: a tunnel has another address
    /// than the member.
    pub async fn connect(address: SocketAddr, name: &str, identity: &Identity) -> Result<Self, EtcdError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| EtcdError::Identity { what: "the member's name", why: error.to_string() })?;
        let tls = TlsConnector::from(Arc::new(tls(identity)?));
        let connect = move |_: Uri| {
            let (tls, name) = (tls.clone(), name.clone());
            async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                tls.connect(name, stream).await.map(TokioIo::new)
            }
        };
        let endpoint = Endpoint::from_static("http://etcd")
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE * 2)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 2);
        let channel = endpoint.connect_with_connector(service_fn(connect)).await;
        channel.map(|channel| Self { channel }).map_err(|error| EtcdError::Connect(innermost(&error)))
    }
}

fn tls(identity: &Identity) -> Result<ClientConfig, EtcdError> {
    let bad = |what: &'static str| move |why: String| EtcdError::Identity { what, why };
    let mut roots = RootCertStore::empty();
    for certificate in pki::certificates(&identity.ca).map_err(bad("the certificate of etcd's CA"))? {
        roots.add(certificate).map_err(|error| bad("the certificate of etcd's CA")(error.to_string()))?;
    }
    let certificate = pki::certificates(&identity.certificate).map_err(bad("the client's certificate"))?;
    // The reader's own errors quote the line, and a key without line breaks is one line.
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
    let key = key.map_err(|_| bad("the client's key")("it holds no PEM private key".into()))?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(certificate, key);
    let mut config = config.map_err(|error| bad("the client's certificate")(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The transport's own words are "transport error"; what happened stands below.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
