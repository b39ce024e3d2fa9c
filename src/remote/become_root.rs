//! Becoming root: the command line, and what sudo's complaints mean.

use super::quote::command_line;
use crate::cluster::{Become, SecretSource};

/// How the command becomes root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// The login user is root.
    Direct,
    /// sudo that must not ask.
    Silent,
    /// sudo that may ask: it prints `prompt` on standard error, and reads the password from standard input.
    Asking { prompt: String, password: SecretSource },
}

impl Way {
    /// Root needs no sudo, whatever the inventory says: minimal hosts do not have it.
    pub(super) fn new(become_root: &Become, user: &str, nonce: &str) -> Self {
        match become_root {
            _ if user == "root" => Self::Direct,
            Become::Root => Self::Direct,
            Become::Sudo { password: None } => Self::Silent,
            Become::Sudo { password: Some(password) } => {
                // Unlike the usual prompt, this one cannot be mistaken for anything else, so the password goes to
                // sudo and to nobody else.
                Self::Asking { prompt: format!("[kubewright {nonce}] password: "), password: password.clone() }
            }
        }
    }

    /// The command line that runs `arguments` as root. The first `exec` spares a shell; sudo's options end with `--`.
    pub(super) fn command_line(&self, arguments: &[&str]) -> String {
        let sudo: &[&str] = match self {
            Self::Direct => &[],
            Self::Silent => &["sudo", "-n", "--"],
            Self::Asking { prompt, .. } => &["sudo", "-S", "-p", prompt, "--"],
        };
        format!("exec {}", command_line(&[sudo, arguments].concat()))
    }

    /// What to cut out of messages.
    pub(super) fn prompt(&self) -> &str {
        match self {
            Self::Asking { prompt, .. } => prompt,
            _ => "",
        }
    }
}

/// What a failed sudo means: what came back, and what to do. `stderr` is its last words, `exit` how it ended.
pub(super) fn explain(stderr: &str, exit: Option<&str>) -> (String, &'static str) {
    let exit = exit.unwrap_or("it ended");
    let says = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
    // Most specific first: a wrong password ends in "a password is required" too.
    let (came_back, hint) = if says(&["incorrect password", "Sorry, try again"]) {
        WRONG_PASSWORD
    } else if says(&["must have a tty"]) {
        ("sudo insists on a terminal (requiretty)", "add `Defaults:USER !requiretty` to the sudoers of the host")
    } else if says(&["password is required", "no tty present", "terminal is required"]) {
        (
            "sudo asks for a password and the inventory names none",
            "name a source for it under `ssh.becomePassword`, or allow sudo without one (NOPASSWD) on the host",
        )
    } else if says(&["not in the sudoers", "not allowed to", "may not run sudo"]) {
        ("the login user may not become root with sudo", "add the user to the sudoers of the host")
    } else if exit.ends_with("status 127") || says(&["sudo: not found", "sudo: Command not found"]) {
        ("there is no sudo on the host", "install sudo there, or log in as root")
    } else {
        ("sudo did not run the agent", "run the same by hand: `ssh -T USER@HOST sudo -n id`")
    };
    (format!("{came_back} ({exit})"), hint)
}

/// sudo asked a second time.
pub(super) const WRONG_PASSWORD: (&str, &str) =
    ("the password is wrong", "check the password that the inventory names under `ssh.becomePassword`");

#[cfg(test)]
mod tests {
    use super::*;

    fn sudo(password: Option<SecretSource>) -> Become {
        Become::Sudo { password }
    }

    #[test]
    fn command_lines() {
        let line = |become_root: &Become, user| {
            Way::new(become_root, user, "n0").command_line(&["sh", "-c", "echo $1", "it's"])
        };
        assert_eq!(line(&Become::Root, "root"), r"exec sh -c 'echo $1' 'it'\''s'");
        assert_eq!(line(&sudo(None), "root"), r"exec sh -c 'echo $1' 'it'\''s'");
        assert_eq!(line(&sudo(None), "ops"), r"exec sudo -n -- sh -c 'echo $1' 'it'\''s'");
        assert_eq!(
            line(&sudo(Some(SecretSource::Prompt)), "ops"),
            r"exec sudo -S -p '[kubewright n0] password: ' -- sh -c 'echo $1' 'it'\''s'"
        );
    }

    #[test]
    fn complaints_are_understood() {
        for (stderr, exit, expected) in [
            (
                "Sorry, try again.\nsudo: a password is required",
                Some("it ended with status 1"),
                "the password is wrong",
            ),
            ("sudo: 1 incorrect password attempt", Some("it ended with status 1"), "the password is wrong"),
            ("sudo: a password is required", Some("it ended with status 1"), "sudo asks for a password and"),
            ("sudo: no tty present and no askpass program specified", None, "sudo asks for a password and"),
            ("sudo: sorry, you must have a tty to run sudo", None, "sudo insists on a terminal"),
            ("ops is not in the sudoers file.", None, "the login user may not"),
            ("Sorry, user ops is not allowed to execute '/bin/sh' as root", None, "the login user may not"),
            ("bash: line 1: exec: sudo: not found", Some("it ended with status 127"), "there is no sudo"),
            ("sudo: Command not found.", Some("it ended with status 1"), "there is no sudo"),
            ("sudo: unable to open audit system", Some("it ended with status 1"), "sudo did not run"),
        ] {
            let (came_back, hint) = explain(stderr, exit);
            assert!(came_back.starts_with(expected), "{stderr}: {came_back}");
            assert!(!hint.is_empty());
        }
    }
}
