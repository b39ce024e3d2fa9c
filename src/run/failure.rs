//! How a run fails: with every host's result, never only the first.

use std::fmt;

use thiserror::Error;

use crate::cluster::{HostName, listed};
use crate::host::protocol::{Failure, Holder};
use crate::plan::preflight::Finding;
use crate::remote::RemoteError;

/// A failed host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFailure {
    /// The host; none when the cluster as a whole is at fault.
    pub host: Option<HostName>,
    /// Why.
    pub failure: Failure,
}

impl HostFailure {
    /// A failure of `host`.
    pub fn of(host: &HostName, failure: Failure) -> Self {
        Self { host: Some(host.clone()), failure }
    }

    /// A failure of the cluster.
    pub fn cluster(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { host: None, failure: Failure { what: what.into(), why: why.to_string(), hint: None } }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.failure.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        write!(f, "{}", self.failure)?;
        if let Some(hint) = &self.failure.hint {
            write!(f, "\n    → {hint}")?;
        }
        Ok(())
    }
}

/// Why a run ended early.
#[derive(Debug, Error)]
pub enum RunError {
    /// Some hosts, or the cluster, failed. Everything that was found is here.
    #[error("{}", lines(.0))]
    Failed(Vec<HostFailure>),
    /// Checks found reasons not to begin; nothing was changed.
    #[error("{} check{} failed; nothing was changed\n{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, findings(.0))]
    Preflight(Vec<Finding>),
    /// Another run has the lock.
    #[error("the cluster is locked by {by}\n    → wait for that run to end, or end that process on {}: its lock goes with it", by.host)]
    Locked {
        /// Who has it.
        by: Holder,
    },
    /// The operator stopped the run.
    #[error("interrupted; run the same command again to go on")]
    Interrupted {
        /// Number of the signal.
        signal: u8,
    },
}

impl From<HostFailure> for RunError {
    fn from(failure: HostFailure) -> Self {
        Self::Failed(vec![failure])
    }
}

fn lines(failures: &[HostFailure]) -> String {
    let said = failures.iter().map(|failed| {
        let alone = HostFailure { host: None, failure: failed.failure.clone() };
        (failed.host.as_ref(), alone.to_string())
    });
    let line = |(said, hosts): (String, String)| if hosts == CLUSTER { said } else { format!("{hosts}: {said}") };
    by_what(said).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn findings(findings: &[Finding]) -> String {
    let said = findings.iter().map(|finding| {
        (finding.host.as_ref(), format!("{} [{}]\n    → {}", finding.message, finding.check, finding.hint))
    });
    by_what(said).into_iter().map(|(said, hosts)| format!("{hosts}: {said}")).collect::<Vec<_>>().join("\n")
}

/// What is no host's alone is the cluster's.
const CLUSTER: &str = "cluster";

/// What is said, in its order, with the hosts of which it is said: what many have in common is read once.
pub(super) fn by_what<'h>(said: impl IntoIterator<Item = (Option<&'h HostName>, String)>) -> Vec<(String, String)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (host, text) in said {
        let host = host.map_or(CLUSTER, HostName::as_str);
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((text, vec![host])),
        }
    }
    groups.into_iter().map(|(text, hosts)| (text, listed(hosts))).collect()
}

/// What the remote side says, as a failure of a step.
pub(super) fn remote(what: &str, error: RemoteError) -> Failure {
    if let RemoteError::Agent { failure, .. } = error {
        return failure;
    }
    let hint = error.hint().map(str::to_owned);
    match error.trouble() {
        Some(trouble) => {
            let mut why = trouble.came_back.clone();
            if !trouble.stderr.is_empty() {
                why.push_str(&format!("; standard error: {}", trouble.stderr));
            }
            Failure { what: trouble.tried.clone(), why, hint }
        }
        None => Failure { what: what.to_owned(), why: error.to_string(), hint },
    }
}
