//! What goes wrong in a lab, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a lab could not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabError {
    /// A name that is none.
    #[error("lab name {name:?} {why}; use 1 to 20 of a-z, 0-9 and '-', beginning with a letter")]
    Name {
        /// As given.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A wrong option.
    #[error("{0}")]
    Option(String),
    /// Namespaces, taps and memory file systems are root's.
    #[error("the lab needs root: it makes a network namespace and mounts; run it with sudo")]
    NotRoot,
    /// Programs that are not installed.
    #[error("{} not found: {}; install: apt-get install {}", plural(programs), programs.join(", "), packages.join(" "))]
    Programs {
        /// What is missing.
        programs: Vec<&'static str>,
        /// Debian packages that bring it.
        packages: Vec<&'static str>,
    },
    /// Something else that this machine lacks.
    #[error("{what}; {hint}")]
    Machine {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {argv}: {source}")]
    Start {
        /// Its arguments.
        argv: String,
        /// What came back.
        source: io::Error,
    },
    /// A program failed.
    #[error("{argv}: {status}\n{stderr}")]
    Failed {
        /// Its arguments.
        argv: String,
        /// How it ended.
        status: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// A system call failed.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// What came back.
        source: nix::Error,
    },
    /// The namespace is there, but not made by this lab.
    #[error(
        "the network namespace {namespace} exists, but there is no lab in {}; another lab of that name keeps its state \
         elsewhere: choose another --name, or remove the namespace with `ip netns delete {namespace}`",
        directory.display()
    )]
    Foreign {
        /// The namespace.
        namespace: String,
        /// Where this lab would keep its state.
        directory: PathBuf,
    },
    /// The lab is there with other options.
    #[error(
        "the lab {name} is there with other options ({there}); end it with `kubewright lab down --name {name}` first"
    )]
    Different {
        /// Name of the lab.
        name: String,
        /// What it was made with.
        there: String,
    },
    /// Nothing of that name.
    #[error("there is no lab {name}; start it with `kubewright lab up --name {name}`")]
    NoLab {
        /// Name of the lab.
        name: String,
    },
    /// No such host in this lab.
    #[error("the lab has no host {host:?}; it has {}", hosts.join(", "))]
    NoHost {
        /// As given.
        host: String,
        /// Those it has.
        hosts: Vec<String>,
    },
    /// Another command works on the lab.
    #[error("another command works on the lab {name}; wait for it to end")]
    Busy {
        /// Name of the lab.
        name: String,
    },
    /// Hosts that did not come up.
    #[error("{}", troubles.join("\n"))]
    Hosts {
        /// One text for each.
        troubles: Vec<String>,
    },
    /// A host did not end.
    #[error("{host} is still running {seconds} s after its kernel was killed; see {}", log.display())]
    Undead {
        /// The host.
        host: String,
        /// How long was waited.
        seconds: u64,
        /// Where its supervisor writes.
        log: PathBuf,
    },
}

impl LabError {
    pub(super) fn file(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { action, path, source }
    }

    pub(super) fn system(action: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }
}

fn plural(items: &[&str]) -> &'static str {
    if items.len() == 1 { "program" } else { "programs" }
}

/// Runs `work` for each item at once and collects every failure instead of stopping at the first.
pub(super) fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<(), LabError> + Sync) -> Result<(), LabError> {
    let results: Vec<Result<(), LabError>> = std::thread::scope(|scope| {
        let running: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut errors: Vec<LabError> = results.into_iter().filter_map(Result::err).collect();
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(LabError::Hosts { troubles: errors.iter().map(ToString::to_string).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_failures_are_collected() {
        let fail = |number: &i32| match number % 2 {
            0 => Ok(()),
            _ => Err(LabError::Option(format!("{number} is odd"))),
        };
        assert!(for_each(&[2, 4], fail).is_ok());
        assert_eq!(for_each(&[1, 2, 3], fail).unwrap_err().to_string(), "1 is odd\n3 is odd");
    }

    #[test]
    fn missing_programs_come_with_the_command_that_installs_them() {
        let error = LabError::Programs { programs: vec!["ip"], packages: vec!["iproute2"] };
        assert_eq!(error.to_string(), "program not found: ip; install: apt-get install iproute2");
    }
}
