//! From what the client library reports to [`KubeError`]: which layer failed, and whose fault it is.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use ::kube::core::Status;
use rustls::CertificateError;

use super::error::{Attempt, KubeError};
use super::webhook;

/// The failure of one attempt.
pub(super) fn classify(error: &::kube::Error, attempt: Attempt, address: SocketAddr) -> KubeError {
    match error {
        ::kube::Error::Api(status) => answered(status, attempt),
        ::kube::Error::BuildRequest(_) | ::kube::Error::FromUtf8(_) => {
            KubeError::Answer { attempt, message: error.to_string() }
        }
        _ => unanswered(error, attempt, address),
    }
}

/// The server answered, and refused.
fn answered(status: &Status, attempt: Attempt) -> KubeError {
    let message = message(status, &attempt);
    match (status.code, status.reason.as_str()) {
        (401, _) => KubeError::Unauthorized { attempt, message },
        (403, _) => KubeError::Forbidden { attempt, message },
        // For an object that is missing the server names it; for a kind that it does not serve it cannot.
        (404, _) if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) => {
            KubeError::NotFound { attempt, message }
        }
        (404, _) => KubeError::NotServed { attempt, message },
        (409, "Conflict") => KubeError::Conflict { attempt, message },
        (code, reason) => {
            let hint = match code {
                _ if message.contains("immutable") => {
                    "delete the object and run again, if losing it for a moment is fine"
                }
                400 | 415 | 422 => "mend the manifest",
                429 => "the server is overloaded, or a PodDisruptionBudget forbids it; try again later",
                500 | 503 | 504 => "see the log of the API server, and the health of etcd",
                _ => "see the log of the API server",
            };
            KubeError::Rejected { attempt, code, reason: reason.to_owned(), message, hint }
        }
    }
}

/// What the server said. It quotes the document that it could not read: of a Secret nothing may be shown.
fn message(status: &Status, attempt: &Attempt) -> String {
    let quotes = matches!(status.code, 400 | 415 | 422 | 500) && attempt.object.starts_with("Secret ");
    // A webhook that does not answer quotes nothing.
    let quotes = quotes && webhook::failed(&status.message).is_none();
    if quotes {
        return "(withheld, because it may quote the secret)".to_owned();
    }
    let mut message = status.message.trim().to_owned();
    for cause in status.details.iter().flat_map(|details| &details.causes) {
        if !cause.message.is_empty() && !message.contains(&cause.message) {
            message = format!("{message} {}", cause.message);
        }
    }
    message
}

/// How long the server asks us to stay away.
pub(super) fn advised_delay(error: &::kube::Error) -> Option<std::time::Duration> {
    let ::kube::Error::Api(status) = error else { return None };
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| std::time::Duration::from_secs(seconds.into()))
}

/// The server did not answer, or not in a way that we trust.
fn unanswered(error: &::kube::Error, attempt: Attempt, address: SocketAddr) -> KubeError {
    let mut innermost = error.to_string();
    for cause in causes(error) {
        if let Some(rustls::Error::InvalidCertificate(certificate)) = cause.downcast_ref() {
            return untrusted(certificate, attempt, address);
        }
        if cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return KubeError::TimedOut { attempt, address, message: cause.to_string() };
        }
        innermost = cause.to_string();
    }
    KubeError::Unreachable { attempt, address, message: innermost }
}

fn untrusted(error: &CertificateError, attempt: Attempt, address: SocketAddr) -> KubeError {
    let message = error.to_string();
    match error {
        // A CA of the same name with another key is unknown, too.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            KubeError::UnknownAuthority { attempt, address }
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            KubeError::ServerCertificateExpired { attempt, address, message }
        }
        _ => KubeError::ServerCertificate { attempt, address, message },
    }
}

/// The error and everything under it. An [`io::Error`] that wraps another error hides it from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use ::kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6443);

    fn attempt(object: &str) -> Attempt {
        Attempt { verb: "apply", object: object.into() }
    }

    fn details(name: &str, cause: &str) -> StatusDetails {
        StatusDetails {
            name: name.into(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: vec![StatusCause { reason: String::new(), message: cause.into(), field: String::new() }],
            retry_after_seconds: 0,
        }
    }

    fn refused(code: u16, reason: &str, message: &str, details: Option<StatusDetails>) -> KubeError {
        let status = Status { details, ..Status::failure(message, reason).with_code(code) };
        classify(&::kube::Error::Api(status.boxed()), attempt("ConfigMap ns/a"), ADDRESS)
    }

    #[test]
    fn refusals_are_told_apart() {
        assert!(matches!(refused(401, "Unauthorized", "x", None), KubeError::Unauthorized { .. }));
        assert!(matches!(refused(403, "Forbidden", "x", None), KubeError::Forbidden { .. }));
        assert!(matches!(refused(404, "NotFound", "x", Some(details("a", ""))), KubeError::NotFound { .. }));
        assert!(matches!(refused(404, "NotFound", "x", Some(details("", ""))), KubeError::NotServed { .. }));
        assert!(matches!(refused(404, "", "404 page not found", None), KubeError::NotServed { .. }));
        assert!(matches!(refused(409, "Conflict", "x", None), KubeError::Conflict { .. }));
        assert!(matches!(refused(409, "AlreadyExists", "x", None), KubeError::Rejected { .. }));
    }

    #[test]
    fn messages_name_object_verb_answer_and_hint() {
        let error = refused(422, "Invalid", "spec.selector: field is immutable", None);
        assert_eq!(
            error.to_string(),
            "cannot apply ConfigMap ns/a: the server answers 422 Invalid: spec.selector: field is immutable; \
             delete the object and run again, if losing it for a moment is fine"
        );
        let error = refused(429, "TooManyRequests", "Cannot evict pod.", Some(details("", "The budget web needs 1.")));
        assert!(error.to_string().contains("Cannot evict pod. The budget web needs 1."), "{error}");
    }

    #[test]
    fn what_the_server_quotes_of_a_secret_is_withheld() {
        let status = Status::failure("cannot decode ...|\"password\":\"hunter2\"|...", "BadRequest").with_code(400);
        let error = classify(&::kube::Error::Api(status.boxed()), attempt("Secret ns/a"), ADDRESS);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn certificates_are_found_under_wrapped_errors() {
        let wrap = |error: CertificateError| {
            let tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(error));
            classify(&::kube::Error::Service(Box::new(io::Error::other(tls))), attempt("x"), ADDRESS)
        };
        assert!(matches!(wrap(CertificateError::UnknownIssuer), KubeError::UnknownAuthority { .. }));
        assert!(matches!(wrap(CertificateError::Expired), KubeError::ServerCertificateExpired { .. }));
        assert!(matches!(wrap(CertificateError::NotValidForName), KubeError::ServerCertificate { .. }));
    }

    #[test]
    fn a_broken_connection_is_unreachable_and_a_slow_one_timed_out() {
        let broken = |kind: io::ErrorKind| {
            classify(&::kube::Error::Service(Box::new(io::Error::from(kind))), attempt("x"), ADDRESS)
        };
        assert!(matches!(broken(io::ErrorKind::ConnectionReset), KubeError::Unreachable { .. }));
        assert!(matches!(broken(io::ErrorKind::TimedOut), KubeError::TimedOut { .. }));
    }
}
