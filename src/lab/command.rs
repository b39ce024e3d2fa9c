//! The lab's door to processes. It is not the hosts' one: these run on this machine, some of them inside the lab's
//! namespace, and some outlive the program that starts them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::LabError;

/// Directories searched beside `PATH`, which often lacks them for a user that became root.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A command that is not running yet.
#[allow(clippy::disallowed_methods)] // The one place of the lab that may: the hosts' door knows neither namespaces nor detaching.
pub(super) fn new(program: impl AsRef<Path>) -> Command {
    let program = program.as_ref();
    Command::new(program.to_str().and_then(find).as_deref().unwrap_or(program))
}

/// Where `program` is, in `PATH` or a system directory.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Runs `command`, feeds it `input`, and returns its standard output; an exit code other than 0 is an error.
pub(super) fn run(command: &mut Command, input: &str) -> Result<String, LabError> {
    let argv = argv(command);
    let failed = |source| LabError::Start { argv: argv.clone(), source };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything says why on standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    check(argv, &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn check(argv: String, output: &Output) -> Result<(), LabError> {
    if output.status.success() {
        return Ok(());
    }
    let stderr = tail(&String::from_utf8_lossy(&output.stderr), 20);
    Err(LabError::Failed { argv, status: output.status.to_string(), stderr })
}

/// The argument vector as one line, for errors.
pub(super) fn argv(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The last `lines` lines of a text that say something.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_argv_status_and_stderr() {
        assert_eq!(run(new("cat").arg("-"), "text").unwrap(), "text");
        let error = run(new("ls").arg("/nowhere/at/all"), "").unwrap_err().to_string();
        for part in ["ls /nowhere/at/all", "exit status: 2", "No such file"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_tail_skips_empty_lines() {
        assert_eq!(tail("a\n\nb\n \nc\n", 2), "b\nc");
        assert_eq!(tail("", 2), "");
    }
}
