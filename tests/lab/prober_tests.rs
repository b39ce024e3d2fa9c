//! The prober against real servers on loopback.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Parser as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Serves every connection with `serve`, and counts them.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    served(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
}

fn served(listener: TcpListener, serve: impl Fn(TcpStream) + Send + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            serve(stream.unwrap());
        }
    });
    (address, count)
}

/// Reads a request and answers it, on a connection that the server would keep.
fn answering(answer: &'static str) -> impl Fn(TcpStream) + Send + 'static {
    move |mut stream| {
        thread::spawn(move || {
            let mut request = [0; 2048];
            while matches!(stream.read(&mut request), Ok(1..)) {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
    }
}

fn target(address: SocketAddr, seconds: f64, retries: u32) -> Target {
    Target::service(&format!("http://{address}/")).unwrap().with_limits(Duration::from_secs_f64(seconds), retries)
}

#[tokio::test]
async fn every_request_has_a_connection_of_its_own() {
    let (address, connections) = server(answering(OK));
    let target = target(address, 5.0, 3);
    for _ in 0..3 {
        let outcome = target.ask().await;
        assert_eq!((outcome.result, outcome.retried.len()), (Ok(()), 0));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_could_not_be_sent_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = target(address, 5.0, 3).ask().await;
    assert_eq!(outcome.retried.len(), 3);
    for why in outcome.retried.iter().chain([&outcome.result.unwrap_err()]) {
        assert!(why.contains("onnection refused"), "{why}");
    }
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        served(TcpListener::bind(address).unwrap(), answering(OK))
    });
    let outcome = target(address, 5.0, 20).ask().await;
    assert_eq!(outcome.result, Ok(()));
    assert!((1..20).contains(&outcome.retried.len()), "{:?}", outcome.retried);
    late.join().unwrap();
}

#[tokio::test]
async fn what_was_sent_is_never_sent_again() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 13\r\n\r\netcd\n  is off";
    for (answer, why) in [(busy, "503 Service Unavailable: etcd is off"), ("", "connection closed before message")] {
        let (address, connections) = server(move |mut stream| {
            let _ = stream.read(&mut [0; 2048]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let outcome = target(address, 5.0, 3).ask().await;
        assert!(outcome.result.as_ref().unwrap_err().contains(why), "{outcome:?}");
        assert_eq!((outcome.retried.len(), connections.load(Ordering::SeqCst)), (0, 1));
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (address, _) = server(|stream| {
        thread::spawn(move || {
            thread::park();
            drop(stream);
        });
    });
    let outcome = target(address, 0.2, 3).ask().await;
    assert_eq!(outcome.result, Err("no answer within 0.2 s".to_owned()));
    assert!(outcome.ended - outcome.began < Duration::from_secs(2));
}

/// A kubeconfig for a server that wants a certificate of the same CA, and that server.
struct Api {
    address: SocketAddr,
    kubeconfig: String,
}

impl Api {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let leaf = || {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            (params.signed_by(&key, &ca).unwrap(), key)
        };
        let (certificate, key) = leaf();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier.build().unwrap());
        let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
        let (address, _) = server(move |mut stream| {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            let mut request = [0; 2048];
            // A client that does not trust this server goes away before it has asked.
            if let Ok(length) = tls.read(&mut request) {
                let found = request[..length].starts_with(b"GET /api/v1/namespaces/default HTTP/1.1\r\n");
                let answer = if found { OK } else { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" };
                tls.write_all(answer.as_bytes()).unwrap();
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
        });
        let (certificate, key) = leaf();
        let data = |pem: String| STANDARD.encode(pem);
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster:\n    server: \"https://{address}\"\n    \
             certificate-authority-data: {}\nusers:\n- name: b\n  user:\n    client-certificate-data: {}\n    \
             client-key-data: {}\n",
            data(ca.pem()),
            data(certificate.pem()),
            data(key.serialize_pem())
        );
        Self { address, kubeconfig }
    }

    fn target(&self, server: Option<&str>, path: &str) -> Target {
        Target::api(&self.kubeconfig, server, path).unwrap().with_limits(Duration::from_secs(5), 1)
    }
}

#[tokio::test]
async fn the_api_is_asked_with_the_identity_of_the_kubeconfig() {
    let api = Api::new();
    let path = "/api/v1/namespaces/default";
    assert_eq!(api.target(None, path).ask().await.result, Ok(()));
    let missing = api.target(None, "/api/v1/none").ask().await;
    assert_eq!((missing.result, missing.retried.len()), (Err("404 Not Found: ".to_owned()), 0));
    // Another CA: nothing is sent to a server that is not known.
    let other = Api::new().target(Some(&format!("https://{}", api.address)), path).ask().await;
    assert!(other.result.as_ref().unwrap_err().contains("invalid peer certificate"), "{other:?}");
    assert_eq!(other.retried.len(), 1);
    // A proxy in front of the API whose servers are all gone.
    let (proxy, connections) = server(drop);
    let lost = api.target(Some(&format!("https://{proxy}/")), path).ask().await;
    assert!(lost.result.is_err());
    assert_eq!((lost.retried.len(), connections.load(Ordering::SeqCst)), (1, 2));
}

#[test]
fn a_kubeconfig_that_is_none_is_refused_without_quoting_it() {
    let bad = |text: &str| Target::api(text, None, "/").err().unwrap();
    for text in ["", "clusters: 3", "clusters: []\nusers:\n- user: {client-key-data: geheim}\n"] {
        assert_eq!(bad(text), "it is no kubeconfig with embedded certificates");
    }
    assert_eq!(bad("clusters: []\nusers: []\n"), "it names no cluster");
    let api = Api::new();
    assert!(bad(&api.kubeconfig.replace("client-key-data: ", "client-key-data: '#'#")).contains("certificates"));
    let from = api.kubeconfig.find("client-key-data: ").unwrap();
    let broken = format!("{}client-key-data: '!'\n", &api.kubeconfig[..from]);
    assert_eq!(bad(&broken), "client-key-data is not base64");
    for url in ["10.96.0.20", "https://10.96.0.20/", "http:///a", "http://no.such.name.invalid/"] {
        assert!(Target::service(url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_run_reports_both_targets() {
    let (api, (service, connections)) = (Api::new(), server(answering(OK)));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &api.kubeconfig).unwrap();
    let (path, url) = (file.path().display().to_string(), format!("http://{service}/"));
    let words = ["prober", "--kubeconfig", &path, "--service", &url, "--seconds", "0.95", "--rate", "20"];
    let report = crate::run(&crate::Options::parse_from(words)).await.unwrap();
    for target in ["api", "service"] {
        let result = &report[target]["result"];
        let requests = result["requests"].as_u64().unwrap();
        assert!((10..=20).contains(&requests), "{report:#}");
        assert_eq!((&result["failures"], &result["success_rate"]), (&0.into(), &1.0.into()), "{report:#}");
        assert!(result["max_ms"].as_f64().unwrap() >= result["p50_ms"].as_f64().unwrap());
    }
    assert_eq!(report["service"]["url"], url);
    assert_eq!(report["service"]["result"]["requests"], connections.load(Ordering::SeqCst));
    assert!(report["seconds"].as_f64().unwrap() >= 0.95);
    assert!(crate::Options::try_parse_from(["prober"]).is_err());
    assert!(crate::Options::try_parse_from(["prober", "--service", &url, "--seconds", "0"]).is_err());
}
