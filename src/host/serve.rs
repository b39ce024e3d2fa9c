//! Gives blobs to other hosts of the run: GET by digest over TLS, to those alone who have a certificate of the run, and
//! no other blobs than those of the run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::blob;
use super::machine::Machine;
use super::protocol::Failure;
use super::shelf::{Shelf, answer};
use super::transfer::{PeerIdentity, Serve};
use crate::image::Blob;

/// Who has not shown a certificate after this does not belong to the run.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections at once: far more than the installer lets ask at a time, and few enough for any host.
const CONNECTIONS: usize = 64;

/// Gives blobs as long as it lives.
pub(super) struct Server {
    tasks: JoinSet<()>,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Listens, and returns as soon as it does.
    pub(super) async fn start(machine: &Machine, serve: &Serve) -> Result<Self, Failure> {
        let what = || format!("giving blobs to other hosts at {}", serve.address);
        let acceptor = TlsAcceptor::from(Arc::new(config(&serve.identity).map_err(|why| Failure::new(what(), why))?));
        let shelf = Arc::new(Shelf::new(files(machine, &serve.blobs)?, serve.rate_limit));
        let listener = TcpListener::bind(serve.address).await.map_err(|error| {
            let hint = "is the port taken? the inventory's `distribution.port` chooses another one for all hosts";
            Failure::new(what(), error).hint(hint)
        })?;
        let address = listener.local_addr().map_err(|error| Failure::new(what(), error))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, acceptor, shelf));
        Ok(Self { tasks, address })
    }

    /// Ends, and has ended when this returns: nobody gets anything from it any more.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn files(machine: &Machine, blobs: &[Blob]) -> Result<BTreeMap<String, (PathBuf, u64)>, Failure> {
    blobs.iter().map(|blob| Ok((blob.sha256.clone(), (blob::path(machine, blob)?, blob.size)))).collect()
}

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, shelf: Arc<Shelf>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Their end is this task's end, too.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Nobody closes the semaphore.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (acceptor, shelf) = (acceptor.clone(), Arc::clone(&shelf));
                connections.spawn(async move {
                    let _place = place;
                    serve(stream, acceptor, shelf).await;
                });
            }
            // No memory or no descriptors: either may be back in a moment.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Serves one request. Who fails to ask, or goes away, is not our business: he tells the installer.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shelf: Arc<Shelf>) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let service = service_fn(move |request| {
        let shelf = Arc::clone(&shelf);
        async move { Ok::<_, std::convert::Infallible>(answer(&shelf, &request).await) }
    });
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

/// Only holders of a certificate of the run's CA get through the handshake.
fn config(identity: &PeerIdentity) -> Result<ServerConfig, String> {
    let damaged = |error: rustls_pki_types::pem::Error| format!("a certificate of the run is damaged: {error}");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(identity.authority.as_bytes()) {
        roots.add(authority.map_err(damaged)?).map_err(|error| error.to_string())?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
    // The PEM reader's own errors may quote the key.
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
    let key = key.map_err(|_| "the key of the run's certificate is damaged".to_owned())?;
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(clients.map_err(|error| error.to_string())?)
        .with_single_cert(certificates.map_err(damaged)?, key)
        .map_err(|error| error.to_string())
}
