//! What can go wrong between here and a host.

use std::fmt;

use thiserror::Error;

use crate::host::protocol::Failure;

/// Why a host could not be worked on. The kinds are those that a caller treats differently.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// No connection: refused, no route, no name, no SSH server there. The only kind that was retried.
    #[error("{0}")]
    Unreachable(Box<Trouble>),
    /// The host is not provably the one that was meant.
    #[error("{0}")]
    HostKey(Box<Trouble>),
    /// The host does not let us in.
    #[error("{0}")]
    Authentication(Box<Trouble>),
    /// The login works, root does not.
    #[error("{0}")]
    Become(Box<Trouble>),
    /// The agent could not be brought to the host, or does not start there.
    #[error("{0}")]
    Start(Box<Trouble>),
    /// The agent refused or failed a request; the session goes on.
    #[error("{host}: {failure}{}", hint(failure.hint.as_deref()))]
    Agent {
        /// Host name of the inventory.
        host: String,
        /// What the agent says.
        failure: Failure,
    },
    /// The session ended in the middle of something.
    #[error("{0}")]
    Lost(Box<Trouble>),
    /// Nothing happened for too long.
    #[error("{0}")]
    Timeout(Box<Trouble>),
    /// Something on this side: a key file, known_hosts, ssh_config, a file to send.
    #[error("{0}")]
    Local(Box<Trouble>),
}

/// The story of an error: where, what was tried, what came back, what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trouble {
    /// Host name of the inventory.
    pub host: String,
    /// What was tried: `connecting to ops@10.1.0.11:22`.
    pub tried: String,
    /// What came back.
    pub came_back: String,
    /// Last lines of the other side's standard error; empty when there are none.
    pub stderr: String,
    /// What to do next.
    pub hint: String,
}

impl Trouble {
    pub(super) fn new(host: &str, tried: impl Into<String>, came_back: impl Into<String>) -> Self {
        Self { host: host.to_owned(), tried: tried.into(), came_back: came_back.into(), ..Self::default() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) fn stderr(mut self, stderr: String) -> Self {
        self.stderr = stderr;
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.host, self.tried, self.came_back)?;
        if !self.stderr.is_empty() {
            f.write_str("\n  standard error:")?;
            for line in self.stderr.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        f.write_str(&hint(Some(&self.hint)))
    }
}

fn hint(hint: Option<&str>) -> String {
    match hint {
        Some(hint) if !hint.is_empty() => format!("\n  hint: {hint}"),
        _ => String::new(),
    }
}

impl RemoteError {
    /// Host name of the inventory.
    pub fn host(&self) -> &str {
        match self {
            Self::Agent { host, .. } => host,
            other => other.trouble().map_or("", |trouble| &trouble.host),
        }
    }

    /// What to do next, where that is known. The message has it too.
    pub fn hint(&self) -> Option<&str> {
        let hint = match self {
            Self::Agent { failure, .. } => failure.hint.as_deref(),
            other => other.trouble().map(|trouble| trouble.hint.as_str()),
        };
        hint.filter(|hint| !hint.is_empty())
    }

    /// The story, for every kind but [`RemoteError::Agent`].
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Unreachable(trouble)
            | Self::HostKey(trouble)
            | Self::Authentication(trouble)
            | Self::Become(trouble)
            | Self::Start(trouble)
            | Self::Lost(trouble)
            | Self::Timeout(trouble)
            | Self::Local(trouble) => Some(trouble),
            Self::Agent { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_host_attempt_answer_and_hint() {
        let trouble = Trouble::new("m1", "connecting to 10.0.0.1:22", "connection refused").hint("start sshd");
        insta::assert_snapshot!(RemoteError::Unreachable(Box::new(trouble)), @"
        m1: connecting to 10.0.0.1:22: connection refused
          hint: start sshd
        ");
        let trouble = Trouble::new("m1", "becoming root", "it ended with status 1").stderr("one\ntwo".to_owned());
        let error = RemoteError::Become(Box::new(trouble));
        insta::assert_snapshot!(error, @"
        m1: becoming root: it ended with status 1
          standard error:
            one
            two
        ");
        assert_eq!((error.host(), error.hint()), ("m1", None));
    }

    #[test]
    fn failures_of_the_agent_keep_their_hint() {
        let failure =
            Failure { what: "file /x".into(), why: "no space left".into(), hint: Some("free some space".into()) };
        let error = RemoteError::Agent { host: "n1".into(), failure };
        assert_eq!(error.to_string(), "n1: file /x: no space left\n  hint: free some space");
        assert_eq!((error.host(), error.hint()), ("n1", Some("free some space")));
    }
}
