//! The connection to one API server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::ListParams;
use serde_json::Value;

use super::error::{Attempt, KubeError};
use super::grace_period::GracePeriod;
use super::identity::{self, ClientCertificate};
use super::operation::Operation;
use super::resource::Discovered;
use super::{classify, retry, webhook};
use crate::cluster::KubeVersion;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// An API server, reached through a tunnel. Clones share the connection.
#[derive(Clone)]
pub struct Api {
    client: ::kube::Client,
    address: SocketAddr,
    certificate: Arc<ClientCertificate>,
    pub(super) discovered: Arc<Discovered>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Api {
    /// Connects to the API server behind `address`, this end of a tunnel, and proves it: the server's certificate must
    /// be `server_name`'s by `ca_pem`, and the server must accept ours.
    pub async fn connect(
        address: SocketAddr,
        server_name: &str,
        ca_pem: &str,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<Self, KubeError> {
        let certificate = ClientCertificate::parse(certificate_pem)?;
        let bad_address = |message: String| KubeError::Identity { what: "address", message };
        let url = format!("https://{address}").parse().map_err(|error| bad_address(format!("{address}: {error}")))?;
        let mut config = ::kube::Config::new(url);
        config.root_cert = Some(identity::authorities(ca_pem)?);
        config.tls_server_name = Some(server_name.to_owned());
        config.auth_info.client_certificate_data = Some(identity::encoded(certificate_pem));
        config.auth_info.client_key_data = Some(identity::encoded(key_pem).into());
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // Without it the time that a pooled connection lay idle counts as waiting for an answer.
        config.reset_reader_on_write = true;
        // Ours is bounded to seconds and knows that an eviction's 429 is an answer; see `retry`.
        config.default_retry = false;
        let client = ::kube::Client::try_from(config)
            .map_err(|error| KubeError::Identity { what: "client certificate or key", message: error.to_string() })?;
        let api = Self { client, address, certificate: Arc::new(certificate), discovered: Arc::default() };
        api.version().await?;
        Ok(api)
    }

    /// A connection for tests: only what `client` answers is there.
    #[cfg(test)]
    pub(super) fn from_client(client: ::kube::Client) -> Self {
        let certificate = ClientCertificate { subject: "CN=test".into(), not_after: jiff::Timestamp::MAX };
        let address = SocketAddr::from(([127, 0, 0, 1], 6443));
        Self { client, address, certificate: Arc::new(certificate), discovered: Arc::default() }
    }

    /// The version that the server runs.
    pub async fn version(&self) -> Result<KubeVersion, KubeError> {
        let answer = self.send("/version", "the version", Operation::Document).await?;
        let text = answer["gitVersion"].as_str().unwrap_or_default();
        text.parse().map_err(|error: crate::cluster::VersionError| KubeError::Answer {
            attempt: Attempt { verb: "read", object: "the version".into() },
            message: error.to_string(),
        })
    }

    /// The server's own checks that do not pass: empty when it is ready to serve. The connection must lead to one
    /// server, not to a load balancer, for the answer to mean anything.
    pub async fn readyz(&self) -> Result<Vec<String>, KubeError> {
        // Ready is 200. Not ready is 500 with the list of checks, which is an answer and nothing to retry.
        match Operation::Document.send(&self.client, "/readyz").await {
            Ok(_) => Ok(Vec::new()),
            Err(::kube::Error::Api(status)) if status.code == 500 => Ok(failed_checks(&status.message)),
            Err(error) => Err(self.explain(&error, "read", "the readiness of the API server")),
        }
    }

    /// Asks for `operation` at `path` and reads the answer. `object` is what errors call it.
    pub(super) async fn send(&self, path: &str, object: &str, operation: Operation<'_>) -> Result<Value, KubeError> {
        let text = self.send_for_text(path, object, operation).await?;
        // The parser's message gives a position only: the answer may hold secrets.
        serde_json::from_str(&text).map_err(|error| KubeError::Answer {
            attempt: Attempt { verb: operation.verb(), object: object.to_owned() },
            message: error.to_string(),
        })
    }

    /// The same for an answer that is no JSON.
    pub(super) async fn send_for_text(
        &self,
        path: &str,
        object: &str,
        operation: Operation<'_>,
    ) -> Result<String, KubeError> {
        let mut attempts = 0;
        loop {
            let error = match operation.send(&self.client, path).await {
                Ok(text) => return Ok(text),
                Err(error) => error,
            };
            attempts += 1;
            let explained = self.explain(&error, operation.verb(), object);
            let answers = matches!((operation, &explained), (Operation::Evict { .. }, KubeError::Rejected { .. }));
            match retry::delay(attempts, classify::advised_delay(&error)) {
                Some(delay) if !answers && retry::is_worthwhile(&explained) => {
                    tracing::debug!(%explained, ?delay, "trying again");
                    tokio::time::sleep(delay).await;
                }
                _ => return Err(webhook::named(&self.client, explained).await),
            }
        }
    }

    /// The object of that name, where there is one.
    pub(super) async fn find(&self, path: &str, object: &str, name: &str) -> Result<Option<Value>, KubeError> {
        match self.send(path, object, Operation::Read { name }).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the object of that name; none is as good.
    pub(super) async fn remove(&self, path: &str, object: &str, name: &str) -> Result<(), KubeError> {
        let operation = Operation::Delete { name, uid: None, grace: GracePeriod::OfThePod };
        match self.send(path, object, operation).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Every object of a list, page by page: a thousand nodes make tens of megabytes.
    pub(super) async fn list(&self, path: &str, object: &str, params: ListParams) -> Result<Vec<Value>, KubeError> {
        let mut items = Vec::new();
        self.list_pages(path, object, params, &mut |page| items.extend(page)).await?;
        Ok(items)
    }

    /// The same for who keeps little of each page.
    pub(super) async fn list_pages(
        &self,
        path: &str,
        object: &str,
        params: ListParams,
        each: &mut (dyn FnMut(Vec<Value>) + Send),
    ) -> Result<(), KubeError> {
        let mut params = params.limit(500);
        loop {
            let mut page = self.send(path, object, Operation::List(&params)).await?;
            match page["items"].take() {
                Value::Array(found) => each(found),
                Value::Null => {}
                _ => {
                    let attempt = Attempt { verb: "list", object: object.to_owned() };
                    return Err(KubeError::Answer { attempt, message: "there are no items in it".into() });
                }
            }
            match page["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => params = params.continue_token(token),
                _ => return Ok(()),
            }
        }
    }

    fn explain(&self, error: &::kube::Error, verb: &'static str, object: &str) -> KubeError {
        let attempt = Attempt { verb, object: object.to_owned() };
        match classify::classify(error, attempt, self.address) {
            KubeError::Unauthorized { attempt, .. } if self.certificate.has_expired() => {
                KubeError::ClientCertificateExpired {
                    attempt,
                    subject: self.certificate.subject.clone(),
                    not_after: self.certificate.not_after.to_string(),
                }
            }
            other => other,
        }
    }
}

/// The failed checks in the answer of `/readyz`: lines such as `[-]etcd failed: reason withheld`.
fn failed_checks(answer: &str) -> Vec<String> {
    let failed: Vec<_> =
        answer.lines().filter_map(|line| line.trim().strip_prefix("[-]")).map(|line| line.trim().to_owned()).collect();
    if failed.is_empty() { vec![answer.trim().to_owned()] } else { failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_are_found_among_the_others() {
        let answer = "[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\nreadyz check failed\n";
        assert_eq!(failed_checks(answer), ["etcd failed: reason withheld"]);
        assert_eq!(failed_checks("out of order\n"), ["out of order"]);
    }
}
