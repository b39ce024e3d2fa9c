//! Exit codes: the contract with cron and CI.

use std::process::ExitCode;

use crate::report;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do: 0.
    Done,
    /// `plan` found something to change: 2.
    Pending,
    /// A command run on the user's behalf ended with this code.
    Code(u8),
}

/// Why a verb failed: what is printed, and the exit code.
#[derive(Debug)]
pub struct Failure {
    pub(super) message: String,
    code: u8,
}

impl Failure {
    /// A failed run: 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// What failed on this very host, with what to do next: 1.
    pub(super) fn of_host(failure: crate::host::protocol::Failure) -> Self {
        let next = failure.hint.map_or_else(String::new, |hint| format!("\n    → {hint}"));
        Self::new(format!("{}: {}{next}", failure.what, failure.why))
    }

    /// A failed run with several reasons, each told as one: 1.
    pub fn all(reasons: impl IntoIterator<Item = impl ToString>) -> Self {
        let reasons: Vec<_> = reasons.into_iter().map(|reason| reason.to_string()).collect();
        Self::new(reasons.join("\nerror: "))
    }

    /// Wrong usage that clap cannot see: 64.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 64 }
    }

    /// An inventory that is not valid: 65. The message is printed as it is, without a prefix.
    pub fn inventory(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 65 }
    }

    /// Stopped by a signal: 128 and its number, as a shell has it.
    pub fn interrupted(message: impl Into<String>, signal: u8) -> Self {
        Self { message: message.into(), code: 128 + signal }
    }

    /// Another run holds the lock: 75.
    pub fn locked(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 75 }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(message)
    }
}

pub(super) fn report(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(_) if report::is_output_lost() => ExitCode::FAILURE,
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Pending) => ExitCode::from(2),
        Ok(Exit::Code(code)) => ExitCode::from(code),
        Err(failure) => {
            let prefix = if failure.code == 65 { "" } else { "error: " };
            report::print_error(&format!("{prefix}{}", failure.message));
            ExitCode::from(failure.code)
        }
    }
}

pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().ansi().to_string();
    let plain = error.render().to_string();
    if error.use_stderr() {
        let colour = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
        report::print_error(if colour { &text } else { &plain });
        ExitCode::from(64)
    } else {
        let colour = std::io::IsTerminal::is_terminal(&std::io::stdout()) && std::env::var_os("NO_COLOR").is_none();
        report::print(if colour { &text } else { &plain });
        if report::is_output_lost() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
