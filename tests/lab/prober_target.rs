//! What the prober asks, and how: one request, one connection, and as little work as that takes.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::prober_report::Outcome;

/// How long a TCP connection may take: a host without power does not refuse.
const CONNECT: Duration = Duration::from_secs(2);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// An address that is asked again and again.
pub(crate) struct Target {
    uri: Uri,
    /// Looked up once: what is asked about is not the name.
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    retries: u32,
}

impl Target {
    /// The API that the kubeconfig in `text` names, or the one at `server`, with the identity in there.
    pub(crate) fn api(text: &str, server: Option<&str>, path: &str) -> Result<Self, String> {
        // Parser errors are dropped: they quote lines, and the lines are keys.
        let config: Kubeconfig =
            serde_yaml::from_str(text).map_err(|_| "it is no kubeconfig with embedded certificates")?;
        let cluster = config.clusters.into_iter().next().ok_or("it names no cluster")?.cluster;
        let user = config.users.into_iter().next().ok_or("it names no user")?.user;
        let tls = client(&cluster, &user)?;
        let server = server.unwrap_or(&cluster.server).trim_end_matches('/');
        let target = Self::at(&format!("{server}{path}"), "https")?;
        let name = target.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|error| format!("{server}: {error}"))?;
        Ok(Self { tls: Some((TlsConnector::from(Arc::new(tls)), name)), ..target })
    }

    /// A service that speaks plain HTTP.
    pub(crate) fn service(url: &str) -> Result<Self, String> {
        Self::at(url, "http")
    }

    fn at(url: &str, scheme: &str) -> Result<Self, String> {
        let refused = |why: &dyn Display| format!("{url}: {why}");
        let uri: Uri = url.parse().map_err(|error| refused(&error))?;
        let Some(host) = uri.host().filter(|_| uri.scheme_str() == Some(scheme)) else {
            return Err(refused(&format!("it does not start with {scheme}://HOST")));
        };
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let found = std::net::ToSocketAddrs::to_socket_addrs(&(host.trim_matches(['[', ']']), port));
        let address = found.map_err(|error| refused(&error))?.next().ok_or_else(|| refused(&"it has no address"))?;
        Ok(Self { uri, address, tls: None, timeout: Duration::from_secs(5), retries: 0 })
    }

    /// The same with a deadline for each request, retries included, and a number of retries.
    pub(crate) fn with_limits(self, timeout: Duration, retries: u32) -> Self {
        Self { timeout, retries, ..self }
    }

    pub(crate) fn url(&self) -> String {
        self.uri.to_string()
    }

    /// Asks once. What could not be sent is tried again.
    pub(crate) async fn ask(&self) -> Outcome {
        let (began, mut retried) = (Instant::now(), Vec::new());
        let attempts = async {
            loop {
                match self.attempt().await {
                    Err(Attempt::Unsent(why)) if retried.len() < self.retries as usize => retried.push(why),
                    Err(Attempt::Unsent(why) | Attempt::Failed(why)) => return Err(why),
                    Ok(()) => return Ok(()),
                }
                tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            }
        };
        let late = |_| Err(format!("no answer within {} s", self.timeout.as_secs_f64()));
        let result = tokio::time::timeout(self.timeout, attempts).await.unwrap_or_else(late);
        Outcome { began, ended: Instant::now(), retried, result }
    }

    async fn attempt(&self) -> Result<(), Attempt> {
        let connected = tokio::time::timeout(CONNECT, TcpStream::connect(self.address)).await;
        let connected = connected.map_err(|_| Attempt::Unsent(format!("no connection within {CONNECT:?}")))?;
        let stream = connected.map_err(|error| Attempt::Unsent(format!("connecting: {error}")))?;
        match &self.tls {
            None => self.exchange(stream).await,
            Some((connector, name)) => {
                let secured = connector.connect(name.clone(), stream).await;
                self.exchange(secured.map_err(|error| Attempt::Unsent(format!("TLS: {error}")))?).await
            }
        }
    }

    /// Sends the request and reads the answer.
    async fn exchange(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Attempt> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let request = Request::get(path).header("host", authority).header("connection", "close");
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| Attempt::Failed(error.to_string()))?;
        let answered = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, Attempt>((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::pin!(connection);
        tokio::pin!(answered);
        let (status, body) = tokio::select! {
            biased;
            answer = &mut answered => answer?,
            // It ends with the answer, or says why there is none.
            ended = &mut connection => match (answered.await, ended) {
                (Err(_), Err(why)) => return Err(why.into()),
                (answer, _) => answer?,
            }
        };
        match status {
            StatusCode::OK => Ok(()),
            _ => Err(Attempt::Failed(format!("{status}: {}", first_words(&body)))),
        }
    }
}

/// A client that trusts the cluster's CA alone and has the user's identity.
fn client(cluster: &Cluster, user: &User) -> Result<ClientConfig, String> {
    let decode = |what, data: &str| STANDARD.decode(data.trim()).map_err(|_| format!("{what} is not base64"));
    let certificates = |what, data: &str| {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&decode(what, data)?).collect();
        chain.map_err(|error| format!("{what}: {error}"))
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("certificate-authority-data", &cluster.certificate_authority_data)? {
        roots.add(authority).map_err(|error| format!("certificate-authority-data: {error}"))?;
    }
    let chain = certificates("client-certificate-data", &user.client_certificate_data)?;
    let key = PrivateKeyDer::from_pem_slice(&decode("client-key-data", &user.client_key_data)?);
    let key = key.map_err(|error| format!("client-key-data: {error}"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots);
    config.with_client_auth_cert(chain, key).map_err(|error| format!("client-certificate-data: {error}"))
}

/// How an attempt failed.
enum Attempt {
    /// Before the request could be sent.
    Unsent(String),
    Failed(String),
}

impl From<hyper::Error> for Attempt {
    fn from(error: hyper::Error) -> Self {
        // hyper's own words end before the reason.
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Self::Failed(format!("{error}{}", cause.unwrap_or_default()))
    }
}

fn first_words(body: &[u8]) -> String {
    String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

#[derive(Deserialize)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority_data: String,
}

#[derive(Deserialize)]
struct NamedUser {
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate_data: String,
    client_key_data: String,
}

#[cfg(test)]
#[path = "prober_tests.rs"]
mod tests;
