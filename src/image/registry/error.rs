//! Why a registry did not give or take what was asked.

use std::path::PathBuf;

use thiserror::Error;

/// Why a registry did not give or take what was asked.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// A file with certificate authorities is not usable.
    #[error("cannot use the certificate authority {path}: {reason}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The login could not be found out.
    #[error(
        "cannot find the login for the registry in {path}: {reason}; mend that file, or log in anew with: docker login"
    )]
    Login {
        /// Docker's config.json.
        path: PathBuf,
        /// What is wrong with it, or with the helper that it names.
        reason: String,
    },
    /// No HTTP client could be made.
    #[error("cannot prepare to speak HTTPS: {0}; are CA certificates installed on this machine?")]
    Client(String),
    /// The name of the registry makes no URL.
    #[error("{0:?} is no host of a registry")]
    Host(String),
    /// Nothing came back.
    #[error(
        "cannot {doing}: {url} does not answer: {reason}; is the name right, and does a way, a proxy or a --mirror lead there?"
    )]
    Unreachable {
        /// What was tried.
        doing: String,
        /// The address.
        url: String,
        /// What came back, the last time.
        reason: String,
    },
    /// The registry's certificate was not accepted.
    #[error(
        "the certificate of {host} is not accepted: {reason}; name the certificate authority that signed it with --ca FILE, or put it in /etc/docker/certs.d/{host}/ca.crt"
    )]
    Certificate {
        /// The host.
        host: String,
        /// What the TLS library says.
        reason: String,
    },
    /// The registry wants a login, or another one.
    #[error("{host} did not let us {doing} ({account}): {reason}; log in with: docker login {registry}")]
    Unauthorized {
        /// What was tried.
        doing: String,
        /// Who was asked.
        host: String,
        /// The registry, by the name that logins go by.
        registry: String,
        /// Who we said that we are.
        account: String,
        /// What came back.
        reason: String,
    },
    /// What was asked for is not there.
    #[error("{host} has no {what}: {reason}; is the name right, and was the image pushed there?")]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// What came back.
        reason: String,
    },
    /// Another refusal.
    #[error("cannot {doing}: {url} answered {status}: {reason}")]
    Refused {
        /// What was tried.
        doing: String,
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// What came with it.
        reason: String,
    },
    /// The registry answered something that makes no sense.
    #[error("{host} is no registry, or a broken one: {reason}")]
    Protocol {
        /// The registry.
        host: String,
        /// What was seen.
        reason: String,
    },
    /// The tag names another image than the reference's digest.
    #[error(
        "{reference}: the tag moved: it is sha256:{actual} now; find out why, then change the digest, or name the image by its digest alone"
    )]
    TagMoved {
        /// As asked for.
        reference: String,
        /// Digest that the tag has.
        actual: String,
    },
    /// What the registry has is not what its name says.
    #[error("the copy of {what} on {host} is damaged: {reason}; push the image again to a registry that is whole")]
    Damaged {
        /// The registry.
        host: String,
        /// What was read.
        what: String,
        /// How that was seen.
        reason: String,
    },
    /// The disk refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: std::io::Error,
    },
}
