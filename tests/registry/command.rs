//! The door to processes of these tests: the registry, skopeo, openssl, and kubewright itself.

use std::path::Path;
use std::process::{Command, Stdio};

/// The library's door serves the host agent; a program of a test needs neither its timeouts nor its records.
#[allow(clippy::disallowed_methods)]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// What a program prints, if it succeeds; its standard error otherwise.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = command(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program} ({error}): see scripts/packages.sh"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// `kubewright` for a user whose home, cache and logins are in `home`.
pub(crate) fn kubewright(home: &Path) -> Command {
    let mut command = command(assert_cmd::cargo::cargo_bin!("kubewright"));
    command.env("HOME", home).env("KUBEWRIGHT_CACHE", home.join("cache")).env("DOCKER_CONFIG", home.join("docker"));
    command.env_remove("XDG_STATE_HOME").current_dir(home).stdin(Stdio::null());
    command
}

/// What `kubewright` prints for `arguments`, if it succeeds; what it says otherwise, which must not be a crash.
pub(crate) fn try_kubewright(home: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = kubewright(home).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        Some(1) => Err(text(&output.stderr)),
        _ => panic!("kubewright {arguments:?}: {}: {}", output.status, text(&output.stderr)),
    }
}

/// As [`try_kubewright`], where it must succeed.
pub(crate) fn ok(home: &Path, arguments: &[&str]) -> String {
    try_kubewright(home, arguments).unwrap_or_else(|error| panic!("kubewright {arguments:?}: {error}"))
}

/// As [`try_kubewright`], where it must fail and say each of `parts`.
pub(crate) fn refused(home: &Path, arguments: &[&str], parts: &[&str]) -> String {
    let error = match try_kubewright(home, arguments) {
        Err(error) => error,
        Ok(output) => panic!("kubewright {arguments:?} did it: {output}"),
    };
    for part in parts {
        assert!(error.contains(part), "{arguments:?} does not say {part:?}: {error}");
    }
    error
}
