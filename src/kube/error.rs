//! What can go wrong at the API, told so that one knows which object, what the server said and what to do next.

use std::fmt;
use std::net::SocketAddr;

use thiserror::Error;

use super::ObjectChange;

/// What was tried: a verb and its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was to be done: `apply`, `read`, `evict`.
    pub verb: &'static str,
    /// To what: `DaemonSet kube-system/kube-proxy`.
    pub object: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.object)
    }
}

/// Why something could not be done at the API.
#[derive(Debug, Error)]
pub enum KubeError {
    /// Our own certificates or key cannot be used at all.
    #[error(
        "the {what} for the API cannot be used: {message}; \
         the keys of this run are damaged: run again, which reads them from the hosts"
    )]
    Identity {
        /// Which of them.
        what: &'static str,
        /// Why.
        message: String,
    },
    /// The server's certificate was not issued by the cluster's CA.
    #[error(
        "cannot {attempt}: the API server at {address} shows a certificate of an unknown CA; \
         either something else answers there, or the CA at hand is not this cluster's"
    )]
    UnknownAuthority {
        /// What was tried.
        attempt: Attempt,
        /// The end of the tunnel that was dialled.
        address: SocketAddr,
    },
    /// The server's certificate has run out, or is not valid yet.
    #[error(
        "cannot {attempt}: the certificate of the API server at {address} is outside its validity: {message}; \
         compare the clocks, then renew the certificates with `kubewright install`"
    )]
    ServerCertificateExpired {
        /// What was tried.
        attempt: Attempt,
        /// The end of the tunnel that was dialled.
        address: SocketAddr,
        /// What TLS said.
        message: String,
    },
    /// Anything else about the server's certificate, its names above all.
    #[error(
        "cannot {attempt}: the certificate of the API server at {address} is not acceptable: {message}; \
         `kubewright install` renews it with the endpoint's names"
    )]
    ServerCertificate {
        /// What was tried.
        attempt: Attempt,
        /// The end of the tunnel that was dialled.
        address: SocketAddr,
        /// What TLS said.
        message: String,
    },
    /// Our own certificate has run out.
    #[error(
        "cannot {attempt}: the certificate of {subject} is valid until {not_after} only; \
         renew the certificates with `kubewright install`"
    )]
    ClientCertificateExpired {
        /// What was tried.
        attempt: Attempt,
        /// Whose certificate.
        subject: String,
        /// Until when.
        not_after: String,
    },
    /// The server does not know who we are.
    #[error(
        "cannot {attempt}: the server does not accept our certificate: {message}; \
         it must be issued by the CA in the API server's --client-ca-file"
    )]
    Unauthorized {
        /// What was tried.
        attempt: Attempt,
        /// What the server said.
        message: String,
    },
    /// The server knows who we are and refuses.
    #[error(
        "cannot {attempt}: the server refuses: {message}; \
         kubewright's own certificate is of group system:masters: look for an admission webhook or policy that refuses"
    )]
    Forbidden {
        /// What was tried.
        attempt: Attempt,
        /// What the server said.
        message: String,
    },
    /// No answer: nothing listens, or the connection broke, more often than the retries bear.
    #[error(
        "cannot {attempt}: no answer from the API server at {address}: {message}; \
         see whether its container runs on the master (crictl ps -a)"
    )]
    Unreachable {
        /// What was tried.
        attempt: Attempt,
        /// The end of the tunnel that was dialled.
        address: SocketAddr,
        /// What the connection said.
        message: String,
    },
    /// No answer in time.
    #[error(
        "cannot {attempt}: the API server at {address} did not answer in time: {message}; \
         see its load and that of etcd"
    )]
    TimedOut {
        /// What was tried.
        attempt: Attempt,
        /// The end of the tunnel that was dialled.
        address: SocketAddr,
        /// What the connection said.
        message: String,
    },
    /// The object is not there.
    #[error("cannot {attempt}: {message}; it has to exist first")]
    NotFound {
        /// What was tried.
        attempt: Attempt,
        /// What the server said.
        message: String,
    },
    /// The server has no such kind, at least not in that version.
    #[error(
        "cannot {attempt}: the server does not serve this kind: {message}; \
         check its apiVersion, or whether its CustomResourceDefinition is there"
    )]
    NotServed {
        /// What was tried.
        attempt: Attempt,
        /// What the server said.
        message: String,
    },
    /// The object has changed since it was read.
    #[error("cannot {attempt}: {message}; somebody else changes it at this moment, run again")]
    Conflict {
        /// What was tried.
        attempt: Attempt,
        /// What the server said.
        message: String,
    },
    /// Any other refusal.
    #[error("cannot {attempt}: the server answers {code} {reason}: {message}; {hint}")]
    Rejected {
        /// What was tried.
        attempt: Attempt,
        /// HTTP status.
        code: u16,
        /// The API's reason, such as `Invalid`.
        reason: String,
        /// What the server said.
        message: String,
        /// What to do next.
        hint: &'static str,
    },
    /// A webhook that stands before the API and does not answer.
    #[error(
        "cannot {attempt}: the API server must ask the webhook {webhook} of {configuration} first, and cannot: {message}; \
         see to the Service that it names, or, where nothing needs the webhook any more, remove {configuration} with \
         `kubectl delete`; then run the same command again"
    )]
    Webhook {
        /// What was tried.
        attempt: Attempt,
        /// Its name.
        webhook: String,
        /// The object that says when it is asked.
        configuration: String,
        /// What the server said.
        message: String,
    },
    /// The server's answer makes no sense.
    #[error("cannot {attempt}: the answer is not understood: {message}; something other than an API server may answer")]
    Answer {
        /// What was tried.
        attempt: Attempt,
        /// What is wrong with it.
        message: String,
    },
    /// An object that cannot be one.
    #[error("{object} is not an object of Kubernetes: {message}; mend the manifest")]
    Malformed {
        /// Its kind and name, as far as it has them.
        object: String,
        /// What is wrong.
        message: String,
    },
    /// A CustomResourceDefinition that the server has taken, and does not serve.
    #[error(
        "CustomResourceDefinition {name} is not served after {seconds} s: {message}; see `kubectl describe crd {name}`"
    )]
    NotEstablished {
        /// Its name.
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// What is missing.
        message: String,
    },
    /// A node has a pod network other than the one it should have; the API does not let it change.
    #[error(
        "node {node} has the pod network {live} and should have {wanted}, which cannot be changed in place; \
         drain it, delete the Node and restart its kubelet"
    )]
    PodNetworkFixed {
        /// The node.
        node: String,
        /// What it has.
        live: String,
        /// What it should have.
        wanted: String,
    },
    /// Pods that the options forbid to evict; nothing was changed.
    #[error("node {node} cannot be drained, nothing was changed:{}", lines(.pods))]
    Undrainable {
        /// The node.
        node: String,
        /// The pods, each with the reason.
        pods: Vec<String>,
    },
    /// Several failures; what succeeded beside them is kept.
    #[error("{} failed:{}", count(.failures.len()), lines(.failures))]
    Several {
        /// What was found, or done, in spite of them.
        changes: Vec<ObjectChange>,
        /// Each failure with its object.
        failures: Vec<KubeError>,
    },
}

impl KubeError {
    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the object changed since it was read.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the same may succeed a little later without anything being mended: what a gate waits through.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Webhook { .. } => true,
            Self::Rejected { code, .. } => matches!(code, 429 | 500 | 503 | 504),
            _ => false,
        }
    }

    /// One result of many: all changes, or the failures with the changes beside them.
    pub(super) fn collect(
        results: impl IntoIterator<Item = Result<Vec<ObjectChange>, Self>>,
    ) -> Result<Vec<ObjectChange>, Self> {
        let (mut changes, mut failures) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                Ok(done) => changes.extend(done),
                Err(Self::Several { changes: done, failures: failed }) => {
                    changes.extend(done);
                    failures.extend(failed);
                }
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok(changes) } else { Err(Self::Several { changes, failures }) }
    }
}

fn count(number: usize) -> String {
    if number == 1 { "one object".to_owned() } else { format!("{number} objects") }
}

fn lines<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}
