//! Secrets in memory, and the person who knows them.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// A passphrase or password: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromptError {
    /// Nobody is there.
    #[error("there is no terminal to ask for it on")]
    NoTerminal,
    /// The terminal broke, or the person gave up.
    #[error("asking for it failed: {0}")]
    Failed(String),
}

/// Asks a person for a secret. Called from a blocking thread, one question at a time.
pub trait Prompt: Send + Sync {
    /// Asks `question` and returns what was typed.
    fn ask(&self, question: &str) -> Result<Secret, PromptError>;
}

/// Asks on the controlling terminal, without echo.
#[derive(Debug, Clone, Copy, Default)]
pub struct TerminalPrompt;

impl Prompt for TerminalPrompt {
    fn ask(&self, question: &str) -> Result<Secret, PromptError> {
        // Cron and CI have no controlling terminal; opening it fails there, and nothing may wait for an answer.
        std::fs::File::open("/dev/tty").map_err(|_| PromptError::NoTerminal)?;
        rpassword::prompt_password(question).map(Secret::new).map_err(|error| PromptError::Failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2".into()))), "Some(Secret(…))");
    }
}
