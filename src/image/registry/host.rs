//! One host with the API of a registry: who one is to it, and how a request gets through.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::Mutex;

use super::credentials;
use super::endpoint::{self, Access, Choice, Endpoint};
use super::login::Credentials;
use super::{Registry, RegistryError, client, explain};

/// Attempts at a request, before a server that is busy or out of reach is given up.
const ATTEMPTS: u32 = 4;
/// Longest time that a server may ask us to wait.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Host {
    pub(super) endpoint: Endpoint,
    /// Host and port, as people write it.
    pub(super) name: String,
    access: Access,
    pub(super) client: Client,
    pub(super) credentials: Option<Credentials>,
    logins: Option<PathBuf>,
    /// The header `Authorization` by repository.
    pub(super) authorizations: Mutex<BTreeMap<String, HeaderValue>>,
}

/// What a request is for.
pub(super) struct Purpose<'a> {
    /// Name of the image.
    pub(super) repository: &'a str,
    /// For errors: `read the manifest of …`.
    pub(super) doing: String,
    pub(super) retry: Retry,
}

/// Whether the same request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    WhenBusy,
    Never,
}

impl Host {
    pub(super) async fn find(registry: &Registry, name: &str, access: Access) -> Result<Self, RegistryError> {
        let bad = || RegistryError::Host(name.to_owned());
        let choice = endpoint::choose(name, access, &registry.options).ok_or_else(bad)?;
        let endpoint = match &choice {
            Choice::Known(endpoint) | Choice::TlsOrPlain(endpoint, _) => endpoint.clone(),
        };
        let address = endpoint.origin.authority().to_owned();
        // Logins and authorities go by the name that people know; a mirror has its own.
        let known = if address == "registry-1.docker.io" { "docker.io".to_owned() } else { address };
        let client = client::client(&known, &endpoint.origin, &registry.options.authorities, &registry.authorities)?;
        let credentials = match &registry.logins {
            Some(path) => credentials::find(path, &known).await?,
            None => None,
        };
        let endpoint = match choice {
            Choice::TlsOrPlain(tls, plain) if speaks_only_plain(&client, &tls, &plain).await => plain,
            _ => endpoint,
        };
        let authorizations = Mutex::new(BTreeMap::new());
        let logins = registry.logins.clone();
        Ok(Self { endpoint, name: known, access, client, credentials, logins, authorizations })
    }

    /// Sends a request until an answer comes that is neither a demand for a login nor a plea to come again.
    pub(super) async fn send(
        &self,
        purpose: &Purpose<'_>,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        let mut failures = 0;
        let mut authorized = false;
        loop {
            let outcome = self.attempt(purpose, request(&self.client)).await;
            failures += 1;
            let last = failures >= ATTEMPTS || purpose.retry == Retry::Never;
            let pause = match outcome {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && !authorized => {
                    self.authorize(purpose, response).await?;
                    (authorized, failures) = (true, failures - 1);
                    continue;
                }
                Ok(response) if is_busy(response.status()) && !last => asked_to_wait(&response),
                Ok(response) => return Ok(response),
                Err(error) if last || !matches!(error, RegistryError::Unreachable { .. }) => return Err(error),
                Err(_) => None,
            };
            tokio::time::sleep(pause.unwrap_or(Duration::from_millis(250) * 2_u32.pow(failures))).await;
        }
    }

    async fn attempt(&self, purpose: &Purpose<'_>, request: RequestBuilder) -> Result<Response, RegistryError> {
        let failed = |error: reqwest::Error| self.unreachable(&purpose.doing, &error);
        let mut request = request.build().map_err(failed)?;
        // An upload may lead elsewhere; the login does not.
        if request.url().origin() == self.endpoint.origin.origin()
            && let Some(header) = self.authorizations.lock().await.get(purpose.repository)
        {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        self.client.execute(request).await.map_err(failed)
    }

    pub(super) fn scope(&self, repository: &str) -> String {
        let actions = if self.access == Access::Write { "pull,push" } else { "pull" };
        format!("repository:{}{repository}:{actions}", self.endpoint.prefix)
    }

    /// What the registry wanted to see last.
    pub(super) async fn authorization(&self, repository: &str) -> Option<String> {
        let known = self.authorizations.lock().await;
        known.get(repository).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    /// The error that an answer other than success stands for.
    pub(super) async fn refusal(&self, doing: &str, response: Response) -> RegistryError {
        let (status, url) = (response.status(), response.url().to_string());
        let reason = reason(status, &response.text().await.unwrap_or_default());
        let (doing, host) = (doing.to_owned(), self.name.clone());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let account = self.account();
                RegistryError::Unauthorized { doing, registry: host.clone(), host, account, reason }
            }
            _ => RegistryError::Refused { doing, url, status: status.as_u16(), reason },
        }
    }

    /// Who we say that we are, and how we know.
    pub(super) fn account(&self) -> String {
        match (&self.credentials, &self.logins) {
            (Some(credentials), Some(path)) => format!("{}, from {}", credentials.account(), path.display()),
            (None, Some(path)) => format!("without a login: {} has none for {}", path.display(), self.name),
            (_, None) => "without a login: neither DOCKER_CONFIG nor HOME is set".to_owned(),
        }
    }

    /// The error for a request that brought no answer.
    pub(super) fn unreachable(&self, doing: &str, error: &reqwest::Error) -> RegistryError {
        match certificate_fault(error) {
            Some(reason) => {
                let host = error.url().map_or(self.name.clone(), |url| url.authority().to_owned());
                RegistryError::Certificate { host, reason }
            }
            None => RegistryError::Unreachable {
                doing: doing.to_owned(),
                url: error.url().map_or_else(|| self.endpoint.origin.to_string(), ToString::to_string),
                // The outermost message says nothing but the address again.
                reason: explain(std::error::Error::source(error).unwrap_or(error)),
            },
        }
    }
}

/// Whether there is no TLS at `tls`, but a registry at `plain`.
async fn speaks_only_plain(client: &Client, tls: &Endpoint, plain: &Endpoint) -> bool {
    if client.get(tls.root()).send().await.is_ok() {
        return false;
    }
    let answer = client.get(plain.root()).send().await;
    answer.is_ok_and(|answer| matches!(answer.status(), StatusCode::OK | StatusCode::UNAUTHORIZED))
}

fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn asked_to_wait(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(PATIENCE))
}

/// What a registry says in the body of an error, or else what its status means.
fn reason(status: StatusCode, body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let errors = json["errors"].as_array().into_iter().flatten();
    let texts: Vec<_> = errors.filter_map(|error| error["message"].as_str().or(error["code"].as_str())).collect();
    let plain = body.lines().next().unwrap_or_default().trim();
    if !texts.is_empty() {
        texts.join("; ")
    } else if plain.is_empty() || plain.starts_with('<') {
        status.to_string()
    } else {
        plain.chars().take(200).collect()
    }
}

/// What TLS has against a certificate, if that is what stopped a request.
fn certificate_fault(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut current = Some(error);
    while let Some(cause) = current {
        if let Some(rustls::Error::InvalidCertificate(fault)) = cause.downcast_ref::<rustls::Error>() {
            return Some(match fault {
                rustls::CertificateError::UnknownIssuer => "nobody that this machine trusts has signed it".to_owned(),
                fault => fault.to_string(),
            });
        }
        // An I/O error hides what it wraps: its source is that of the wrapped one.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        current = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source());
    }
    None
}
