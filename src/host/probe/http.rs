//! Requests to what runs on this host: quick, without any proxy, and trusting the cluster's own CA only.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder};

use super::super::machine::Machine;
use super::super::protocol::{Failure, Probed};

const CONNECT: Duration = Duration::from_secs(2);
const TOTAL: Duration = Duration::from_secs(5);
/// What is kept of a body.
const BODY: usize = 1024;

/// A client with deadlines.
pub(super) fn client() -> ClientBuilder {
    // HTTP/1.1 alone: etcd serves gRPC and its gateway on one port and tells them apart more simply so.
    let redirect = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().http1_only().redirect(redirect).connect_timeout(CONNECT).timeout(TOTAL)
}

/// A client that trusts the CA at `path` and nothing else.
pub(super) fn trusting(machine: &Machine, path: &str) -> Result<ClientBuilder, Failure> {
    let what = || format!("looking at what runs: reading {path}");
    let pem = machine.bytes(path)?.ok_or_else(|| Failure::new(what(), "no such file"))?;
    let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| Failure::new(what(), chain(&error)))?;
    Ok(client().tls_certs_only(authorities))
}

/// A client for loopback, where a component has made its certificate itself: it is taken whatever it is.
pub(super) fn unverified() -> ClientBuilder {
    client().tls_danger_accept_invalid_certs(true)
}

/// GETs a URL.
pub(super) async fn get(client: ClientBuilder, url: &str) -> Result<Probed, Failure> {
    let client = client.build().map_err(|error| Failure::new(format!("asking {url}"), chain(&error)))?;
    let asked = async {
        let mut response = client.get(url).send().await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < BODY
            && let Some(piece) = response.chunk().await?
        {
            body.extend_from_slice(&piece);
        }
        body.truncate(BODY);
        Ok::<_, reqwest::Error>(Probed::Http { status, body: String::from_utf8_lossy(&body).into_owned() })
    };
    Ok(asked.await.unwrap_or_else(|error| Probed::Unreachable { why: chain(&error) }))
}

/// The body of a URL that answers 200, for those who may wait for it.
pub(in crate::host) fn body(url: &str) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(get(client().tls_certs_only([]), url)) {
        Ok(Probed::Http { status: 200, body }) => Ok(body),
        Ok(Probed::Http { status, .. }) => Err(io::Error::other(format!("{url} answers with {status}"))),
        Ok(Probed::Unreachable { why }) => Err(io::Error::other(why)),
        Ok(_) => Err(io::ErrorKind::Unsupported.into()),
        Err(failure) => Err(io::Error::other(failure.to_string())),
    }
}

/// An error with everything below it: reqwest's own words end before the reason.
pub(in crate::host) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::super::testing::Scripted;
    use super::*;

    async fn answer_once(listener: TcpListener, answer: String) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn status_and_the_first_kilobyte_come_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/healthz", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 500 no\r\nContent-Length: 3000\r\n\r\n{}", "x".repeat(3000));
        let server = tokio::spawn(answer_once(listener, answer));
        let probed = get(client().tls_certs_only([]), &url).await.unwrap();
        assert_eq!(probed, Probed::Http { status: 500, body: "x".repeat(1024) });
        server.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_there_is_an_answer_with_its_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let Probed::Unreachable { why } = get(client().tls_certs_only([]), &url).await.unwrap() else { panic!() };
        assert!(why.contains("onnection refused"), "{why}");
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_knows_is_taken_only_where_that_is_asked_for() {
        let made = rcgen::generate_simple_self_signed(["localhost@1795910000".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/healthz", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let refused = acceptor.accept(listener.accept().await.unwrap().0).await;
            assert!(refused.is_err());
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let probed = get(client().tls_certs_only([]), &url).await.unwrap();
        assert!(matches!(probed, Probed::Unreachable { .. }), "{probed:?}");
        assert_eq!(get(unverified(), &url).await.unwrap(), Probed::Http { status: 200, body: "ok".into() });
        server.await.unwrap();
    }

    #[test]
    fn a_missing_ca_is_a_failure() {
        let host = Scripted::new();
        let failure = trusting(&host.machine, "/etc/kubernetes/pki/ca.crt").unwrap_err();
        assert_eq!(failure.to_string(), "looking at what runs: reading /etc/kubernetes/pki/ca.crt: no such file");
        host.put("/etc/kubernetes/pki/ca.crt", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
        assert!(trusting(&host.machine, "/etc/kubernetes/pki/ca.crt").is_err());
    }
}
