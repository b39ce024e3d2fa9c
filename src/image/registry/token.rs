//! Tokens: a server beside the registry gives them for a login, or for none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response, Url};
use serde::Deserialize;

use super::challenge::{self, Challenge};
use super::endpoint::is_loopback;
use super::host::{Host, Purpose};
use super::login::Credentials;
use super::{RegistryError, explain};

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Host {
    /// Gets hold of what the registry wants to see.
    pub(super) async fn authorize(&self, purpose: &Purpose<'_>, response: Response) -> Result<(), RegistryError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenge = challenge::parse(headers.filter_map(|value| value.to_str().ok()));
        let value = match (&challenge, &self.credentials) {
            (_, Some(Credentials::RegistryToken(token))) => format!("Bearer {token}"),
            (Some(Challenge::Basic), Some(Credentials::Password { user, password })) => basic(user, password),
            (Some(Challenge::Bearer { realm, service }), _) => {
                let scope = self.scope(purpose.repository);
                fetch(self, &purpose.doing, realm, service.as_deref(), &scope).await?
            }
            (Some(Challenge::Basic), _) | (None, _) => return Err(self.refusal(&purpose.doing, response).await),
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| RegistryError::Protocol {
            host: self.name.clone(),
            reason: "the token that it gave cannot be sent".to_owned(),
        })?;
        value.set_sensitive(true);
        self.authorizations.lock().await.insert(purpose.repository.to_owned(), value);
        Ok(())
    }
}

/// The header for name and password.
fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The header with a token for `scope` from `realm`.
async fn fetch(
    host: &Host,
    doing: &str,
    realm: &str,
    service: Option<&str>,
    scope: &str,
) -> Result<String, RegistryError> {
    let broken = |reason: String| RegistryError::Protocol { host: host.name.clone(), reason };
    let url: Url = realm.parse().map_err(|error| broken(format!("its token server {realm:?} is no URL: {error}")))?;
    // What came over TLS must not leave without it.
    let same = url.scheme() == host.endpoint.origin.scheme();
    if !(url.scheme() == "https" || url.scheme() == "http" && (same || is_loopback(&url))) {
        return Err(broken(format!("it sends us to {url} for a token, which is not protected")));
    }
    let doing = format!("get a token to {doing}");
    let response = request(host, url, service, scope).send().await.map_err(|error| host.unreachable(&doing, &error))?;
    if !response.status().is_success() {
        return Err(host.refusal(&doing, response).await);
    }
    let reply: Reply = response.json().await.map_err(|error| broken(format!("no token: {}", explain(&error))))?;
    match [reply.token, reply.access_token].into_iter().find(|token| !token.is_empty()) {
        Some(token) => Ok(format!("Bearer {token}")),
        None => Err(broken("its token server gave no token".to_owned())),
    }
}

fn request(host: &Host, mut url: Url, service: Option<&str>, scope: &str) -> RequestBuilder {
    let service = service.map(|service| ("service", service));
    let common = service.into_iter().chain([("scope", scope)]);
    if let Some(Credentials::IdentityToken(token)) = &host.credentials {
        let grant = [("grant_type", "refresh_token"), ("client_id", "kubewright"), ("refresh_token", token.as_str())];
        let body = form(common.chain(grant));
        return host.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
    }
    url.query_pairs_mut().extend_pairs(common);
    match &host.credentials {
        Some(Credentials::Password { user, password }) => {
            let account = ("account", user.as_str());
            url.query_pairs_mut().extend_pairs([account]);
            host.client.get(url).header(AUTHORIZATION, basic(user, password))
        }
        _ => host.client.get(url),
    }
}

/// `name=value&…`, as forms are sent: the same as in a query.
fn form<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let Ok(mut url) = Url::parse("http://form/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}
