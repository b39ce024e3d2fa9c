//! From an open channel to a running agent: one command, the binary if it is not there, the first frame.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::bytes::Bytes;

use super::become_root::{self, Way};
use super::binary::AgentBinary;
use super::error::{RemoteError, Trouble};
use super::exec::Exec;
use super::marker::{Markers, Word};
use super::secrets::Secrets;
use crate::host::frame::{self, FrameError};
use crate::host::protocol::{BLOB_PIECE, FromAgent};

/// Where blobs and binaries are on the hosts.
const DIRECTORY: &str = "/var/lib/kubewright";
const SCRIPT: &str = include_str!("bootstrap.sh");
/// Lines of the other side's output that an error shows.
const LINES: usize = 10;

/// Whether a binary that is on the host already may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    /// It may, if it is complete.
    Reuse,
    /// It did not work: send it again.
    Replace,
}

/// Why there is no agent.
pub(super) enum NotStarted {
    /// The binary that was on the host is no good.
    Unusable,
    /// It is no use to try again.
    Failed(RemoteError),
}

/// What a start needs to know.
pub(super) struct Start<'a> {
    pub(super) host: &'a str,
    pub(super) user: &'a str,
    pub(super) way: Way,
    pub(super) nonce: String,
    pub(super) binary: &'a AgentBinary,
    pub(super) present: Present,
    pub(super) secrets: &'a Secrets,
    pub(super) limit: Duration,
}

impl Start<'_> {
    /// The command line for the login shell, whichever that is.
    pub(super) fn command_line(&self) -> String {
        let size = self.binary.bytes().len().to_string();
        let machine = format!("Linux {}", std::env::consts::ARCH);
        let reuse = if self.present == Present::Reuse { "reuse" } else { "replace" };
        let script = one_line(SCRIPT);
        let arguments = [&self.nonce, self.binary.sha256(), &size, &machine, DIRECTORY, reuse];
        self.way.command_line(&[&["sh", "-c", &script, "kubewright"], &arguments[..]].concat())
    }

    /// Talks to the script on `exec` until the agent has said hello.
    pub(super) async fn drive(&self, exec: &mut Exec) -> Result<(), NotStarted> {
        let mut markers = Markers::new(&self.nonce);
        let mut asked = false;
        let mut sent = false;
        let errors = exec.errors();
        loop {
            let word = tokio::select! {
                word = timeout(self.limit, markers.next(&mut exec.incoming)) => word,
                () = errors.grew() => {
                    self.answer_sudo(exec, &mut asked).await?;
                    continue;
                }
            };
            match word {
                Ok(Ok(Some(Word::Need))) => {
                    sent = true;
                    self.upload(exec).await;
                }
                Ok(Ok(Some(Word::Run))) => break,
                Ok(Ok(Some(Word::Failed(why)))) => return Err(self.script_failed(exec, &why)),
                Ok(Ok(None)) => return Err(self.ended(exec, &markers).await),
                Ok(Err(error)) => return Err(self.failed(exec, &markers, error.to_string(), NO_SHELL)),
                Err(_) => return Err(self.silent(exec, &markers)),
            }
        }
        self.hello(exec, sent).await
    }

    /// Gives sudo the password when it asks, and gives up when it asks again.
    async fn answer_sudo(&self, exec: &Exec, asked: &mut bool) -> Result<(), NotStarted> {
        let Way::Asking { prompt, password } = &self.way else { return Ok(()) };
        let prompts = exec.stderr().count(prompt);
        if prompts > 1 {
            let (came_back, hint) = become_root::WRONG_PASSWORD;
            return Err(self.not_root(self.stderr(exec), came_back.to_owned(), hint));
        }
        if prompts == 1 && !*asked {
            *asked = true;
            let password = self.secrets.sudo_password(self.user, password).await.map_err(|why| {
                self.not_root(
                    self.stderr(exec),
                    format!("sudo asks for the password, and {why}"),
                    become_root::WRONG_PASSWORD.1,
                )
            })?;
            // A sudo that is gone ends the output too, which the caller sees.
            let _ = exec.send(Bytes::from(format!("{}\n", password.expose()))).await;
        }
        Ok(())
    }

    /// Sends the binary. If the script or the session ends meanwhile, so does this, and the next word tells why.
    async fn upload(&self, exec: &Exec) {
        let bytes = self.binary.bytes();
        for start in (0..bytes.len()).step_by(BLOB_PIECE) {
            let piece = bytes.slice(start..bytes.len().min(start + BLOB_PIECE));
            if !matches!(timeout(self.limit, exec.send(piece)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn hello(&self, exec: &mut Exec, sent: bool) -> Result<(), NotStarted> {
        let (came_back, hint) = match timeout(self.limit, frame::read(&mut exec.incoming)).await {
            Ok(Ok(frame)) => match frame.message() {
                Ok(FromAgent::Hello { sha256 }) if sha256 == self.binary.sha256() => return Ok(()),
                Ok(FromAgent::Hello { sha256 }) => (format!("it says that it is {sha256}"), REPORT),
                _ => ("its first message is no greeting".to_owned(), REPORT),
            },
            Ok(Err(FrameError::Closed)) => {
                let exit = exec.exit().await;
                let hint = match &exit {
                    Some(exit) if exit.ends_with("126") => "is the file system of /var/lib mounted with noexec?",
                    Some(_) => REPORT,
                    None => RUN_AGAIN,
                };
                (exit.unwrap_or_else(|| "the session ended".to_owned()), hint)
            }
            Ok(Err(error)) => (error.to_string(), REPORT),
            Err(_) => (format!("it said nothing for {} s", self.limit.as_secs()), RUN_AGAIN),
        };
        // Truncated or damaged since it was put there, say by a crash before the disk had it.
        if !sent && self.present == Present::Reuse {
            return Err(NotStarted::Unusable);
        }
        let stderr = self.stderr(exec);
        let trouble = self.trouble("starting the agent", came_back).stderr(stderr).hint(hint);
        Err(NotStarted::Failed(RemoteError::Start(Box::new(trouble))))
    }

    fn script_failed(&self, exec: &Exec, why: &str) -> NotStarted {
        let (keyword, rest) = why.split_once(' ').unwrap_or((why, ""));
        if keyword == "not-root" {
            let came_back = format!("the login user is {rest}, and the inventory says that it is root already");
            return self.not_root(self.stderr(exec), came_back, "set `ssh.become: sudo`, or log in as root");
        }
        let (came_back, hint) = match keyword {
            "machine" => (
                format!("the host is {rest}, this program is for Linux {}", std::env::consts::ARCH),
                "run the kubewright that is built for that machine",
            ),
            "directory" => (format!("cannot make the directory {rest}"), "is the file system read-only or full?"),
            "short" => ("the upload was cut short".to_owned(), RUN_AGAIN),
            _ => (format!("cannot write {rest}"), "is the file system read-only or full?"),
        };
        let stderr = self.stderr(exec);
        let trouble = self.trouble("bringing the agent to the host", came_back).stderr(stderr).hint(hint);
        NotStarted::Failed(RemoteError::Start(Box::new(trouble)))
    }

    /// The command ended before the script said anything, or in the middle of it.
    async fn ended(&self, exec: &Exec, markers: &Markers) -> NotStarted {
        match exec.exit().await {
            None => {
                let stderr = self.output(exec, markers);
                let trouble = self.trouble("starting the agent", "the session ended").stderr(stderr).hint(RUN_AGAIN);
                NotStarted::Failed(RemoteError::Lost(Box::new(trouble)))
            }
            Some(exit) if self.way != Way::Direct => {
                let output = self.output(exec, markers);
                let (came_back, hint) = become_root::explain(&output, Some(&exit));
                self.not_root(output, came_back, hint)
            }
            Some(exit) => self.failed(exec, markers, exit, NO_SHELL),
        }
    }

    fn silent(&self, exec: &Exec, markers: &Markers) -> NotStarted {
        let came_back = format!("nothing happened for {} s", self.limit.as_secs());
        let stderr = self.output(exec, markers);
        let hint = "does the login shell, or sudo, wait for something? `ssh -T USER@HOST sudo -n id` shows it";
        let trouble = self.trouble("starting the agent", came_back).stderr(stderr).hint(hint);
        NotStarted::Failed(RemoteError::Timeout(Box::new(trouble)))
    }

    fn failed(&self, exec: &Exec, markers: &Markers, came_back: String, hint: &str) -> NotStarted {
        let stderr = self.output(exec, markers);
        let trouble = self.trouble("running a command in the login shell", came_back).stderr(stderr).hint(hint);
        NotStarted::Failed(RemoteError::Start(Box::new(trouble)))
    }

    fn not_root(&self, output: String, came_back: String, hint: &str) -> NotStarted {
        let tried = format!("becoming root as {}", self.user);
        let trouble = self.trouble(&tried, came_back).stderr(output).hint(hint);
        NotStarted::Failed(RemoteError::Become(Box::new(trouble)))
    }

    fn stderr(&self, exec: &Exec) -> String {
        exec.stderr().text(LINES, self.way.prompt())
    }

    fn trouble(&self, tried: &str, came_back: impl Into<String>) -> Trouble {
        Trouble::new(self.host, tried, came_back)
    }

    /// All that was printed and is no word of ours: a shell may complain on either stream.
    fn output(&self, exec: &Exec, markers: &Markers) -> String {
        let texts = [markers.noise.text(LINES, ""), self.stderr(exec)];
        texts.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("\n")
    }
}

const RUN_AGAIN: &str = "run again: what was done so far is kept";
const REPORT: &str = "run again; if it stays, this is a defect of kubewright or of the host's /var/lib/kubewright/bin";
const NO_SHELL: &str = "can the user run commands? `ssh -T USER@HOST id` shows it";

/// The script without comments and newlines.
fn one_line(script: &str) -> String {
    let code = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    code.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_survives_any_login_shell() {
        let script = one_line(SCRIPT);
        for bad in ['!', '\\', '\n'] {
            assert!(!script.contains(bad), "{bad:?}");
        }
        for line in SCRIPT.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(line.ends_with(';') || line.ends_with("then") || line.ends_with("do"), "{line}");
        }
    }
}
