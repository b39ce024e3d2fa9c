//! What is run, one after the other, for a command with a cluster of its own. Each step is a process, so that it can be
//! stopped at any moment.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use super::layout::Layout;
use super::{Lab, LabError, Options, Places, command, process};

/// How long a step that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(20);

/// A step that is not running yet.
#[derive(Debug)]
pub struct Step {
    /// What it does, as it is typed.
    pub name: &'static str,
    command: Command,
}

/// A step that runs.
#[derive(Debug)]
pub struct Running(Child);

impl Lab {
    /// The steps to a cluster in a lab of `options`, and then `argv`. The first ones have their results on standard
    /// error: standard output is the command's.
    pub fn steps(places: &Places, options: &Options, argv: &[OsString]) -> Result<Vec<Step>, LabError> {
        options.check()?;
        let up = ["lab", "up"].map(OsString::from).into_iter().chain(options.arguments().map(OsString::from));
        let kubeconfig = Layout { directory: places.lab(&options.name) }.kubeconfig();
        let inside = |argv: &[&OsStr]| {
            let exec = ["lab", "exec", "--name", options.name.as_str(), "--"].map(OsString::from).into_iter();
            exec.chain(argv.iter().map(OsString::from)).collect::<Vec<_>>()
        };
        let install = ["kubewright", "install"].map(OsStr::new);
        let fetch = [OsStr::new("kubewright"), OsStr::new("kubeconfig"), OsStr::new("--to"), kubeconfig.as_os_str()];
        let mut steps = vec![
            Step::quiet(places, "kubewright lab up", up.collect())?,
            Step::quiet(places, "kubewright install", inside(&install))?,
            Step::quiet(places, "kubewright kubeconfig", inside(&fetch))?,
        ];
        let argv: Vec<&OsStr> = argv.iter().map(OsString::as_os_str).collect();
        steps.push(Step::new(places, "the command", inside(&argv)));
        Ok(steps)
    }
}

impl Step {
    fn new(places: &Places, name: &'static str, arguments: Vec<OsString>) -> Self {
        let mut command = command::new(&places.program);
        command.args(arguments);
        Self { name, command: command.into() }
    }

    fn quiet(places: &Places, name: &'static str, arguments: Vec<OsString>) -> Result<Self, LabError> {
        let mut step = Self::new(places, name, arguments);
        let stderr =
            std::io::stderr().as_fd().try_clone_to_owned().map_err(LabError::file("open", "standard error"))?;
        step.command.stdin(Stdio::null()).stdout(stderr);
        Ok(step)
    }

    /// Starts it.
    pub fn start(mut self) -> Result<Running, LabError> {
        let child = self.command.spawn().map_err(|source| LabError::Start { argv: self.name.to_owned(), source })?;
        Ok(Running(child))
    }
}

impl Running {
    /// Waits for its end; its exit code, or 128 and the number of the signal that has ended it.
    pub async fn wait(&mut self) -> Result<u8, LabError> {
        self.0.wait().await.map(code).map_err(LabError::file("wait for", "a step of `lab run`"))
    }

    /// Asks it, and all that it has started, to end, with the signal that came; kills what does not within some seconds,
    /// or when `impatient` is over.
    pub async fn stop(mut self, signal: u8, impatient: impl Future) -> Result<(), LabError> {
        let Some(pid) = self.0.id() else { return Ok(()) };
        process::signal_family(pid, Signal::try_from(i32::from(signal)).unwrap_or(Signal::SIGTERM));
        tokio::select! {
            ended = self.wait() => return ended.map(drop),
            () = tokio::time::sleep(GRACE) => {}
            _ = impatient => {}
        }
        process::signal_family(pid, Signal::SIGKILL);
        self.wait().await.map(drop)
    }
}

fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_exit_code_is_passed_through_and_a_signal_is_told_as_a_shell_does() {
        for (script, expected) in [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)] {
            let mut command = command::new("sh");
            command.args(["-c", script]);
            let step = Step { name: "sh", command: command.into() };
            assert_eq!(step.start().unwrap().wait().await.unwrap(), expected, "{script}");
        }
    }

    #[tokio::test]
    async fn what_does_not_end_when_asked_is_killed_with_all_that_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let mut command = command::new("sh");
        command.args(["-c", "trap '' INT TERM; sleep 1000 & echo $! >\"$1\"; wait", "sh"]).arg(&file);
        let running = Step { name: "sh", command: command.into() }.start().unwrap();
        let child = loop {
            let pid = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
            match pid {
                Some(pid) => break pid,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        running.stop(15, std::future::ready(())).await.unwrap();
        // It is not this process' child, so that nothing tells when the signal has reached it.
        while process::is_running(child) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
