//! Takes a blob from another host or from a registry into the store, from where an earlier attempt stopped, and verified
//! like one that the installer sends. What to do when that fails is the installer's decision.

use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Response, StatusCode};
use tokio::sync::mpsc::Sender;

use super::blob::Receiver;
use super::machine::Machine;
use super::probe::chain;
use super::protocol::{Event, Failure, FromAgent};
use super::transfer::{Fetch, Source, path_of};

/// A port that a firewall drops is told from a slow one after this.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time without a byte.
const SILENCE: Duration = Duration::from_secs(30);
/// Registries send blobs from elsewhere.
const REDIRECTS: usize = 5;
/// Bytes after which progress is told.
const STEP: u64 = 1 << 20;

/// Takes the blob. Progress goes to `outgoing`, as far as there is room for it.
pub(super) async fn fetch(machine: &Machine, fetch: &Fetch, outgoing: &Sender<FromAgent>) -> Result<(), Failure> {
    let Fetch { blob, offset, from } = fetch;
    let what = || format!("taking blob sha256:{} from {from}", blob.sha256);
    let failed = |error: &reqwest::Error| Failure::new(what(), chain(error));
    let client = client(from).map_err(|error| failed(&error))?;
    let (url, headers) = match from {
        Source::Peer { address, .. } => (format!("https://{address}{}", path_of(blob)), None),
        Source::Web { url, headers, .. } => (url.clone(), Some(headers)),
    };
    let mut request = client.get(url);
    for (name, value) in headers.into_iter().flatten() {
        request = request.header(name, value);
    }
    if *offset > 0 {
        request = request.header(RANGE, format!("bytes={offset}-"));
    }
    // A URL may hold secrets; where it is has been said.
    let mut response = request.send().await.map_err(|error| failed(&error.without_url()))?;
    let begin = match begin(&response, *offset) {
        Some(begin) => begin,
        None => return Err(Failure::new(what(), refused(response).await)),
    };
    let mut receiver = Receiver::new(machine, blob, begin)?;
    let mut told = begin;
    let mut at = begin;
    while let Some(piece) = response.chunk().await.map_err(|error| failed(&error.without_url()))? {
        receiver.piece(&piece)?;
        at += piece.len() as u64;
        if at - told >= STEP {
            told = at;
            // Progress may be lost, and must not hold anything up.
            let _ = outgoing.try_send(FromAgent::Event(Event::Fetched { bytes: at.saturating_sub(*offset) }));
        }
    }
    if !receiver.is_complete() {
        return Err(Failure::new(what(), format!("it ended after {at} of {} bytes", blob.size)));
    }
    receiver.finish().map_err(|failure| Failure { what: what(), ..failure })
}

fn client(from: &Source) -> reqwest::Result<Client> {
    match from {
        Source::Peer { identity, .. } => builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only(Certificate::from_pem_bundle(identity.authority.as_bytes())?)
            .identity(Identity::from_pem(format!("{}{}", identity.certificate, identity.key).as_bytes())?)
            .build(),
        Source::Web { authorities, .. } => {
            let extra = Certificate::from_pem_bundle(authorities.as_deref().unwrap_or_default().as_bytes())?;
            let builder = || builder().redirect(reqwest::redirect::Policy::limited(REDIRECTS));
            match builder().tls_certs_merge(extra.clone()).build() {
                Ok(client) => Ok(client),
                // A host without authorities: those that are named are enough, and plain HTTP needs none.
                Err(_) => builder().tls_certs_only(extra).build(),
            }
        }
    }
}

/// HTTP/1.1 alone: one connection carries one blob, and no window but TCP's own limits it.
fn builder() -> ClientBuilder {
    Client::builder().no_proxy().http1_only().connect_timeout(CONNECT).read_timeout(SILENCE)
}

/// Where the body begins: at the offset, or at the start where ranges are not known over there. `None`: it is no blob.
fn begin(response: &Response, offset: u64) -> Option<u64> {
    match response.status() {
        StatusCode::OK => Some(0),
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
            range.strip_prefix("bytes ")?.starts_with(&format!("{offset}-")).then_some(offset)
        }
        _ => None,
    }
}

/// Status and the beginning of what was said about it.
async fn refused(mut response: Response) -> String {
    let status = response.status();
    let body = response.chunk().await.ok().flatten().unwrap_or_default();
    let body: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
    if body.is_empty() { status.to_string() } else { format!("{status}: {body}") }
}
