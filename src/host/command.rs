//! The one door to processes: an argument vector, never a shell; a deadline; and errors that name the argument
//! vector, the exit code or signal, and the tail of standard error.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use thiserror::Error;

/// The usual directories of programs; a login through SSH often lacks the `sbin` ones.
const DIRECTORIES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What is kept of standard error.
const TAIL: usize = 4096;
/// Standard output beyond this is an error, not memory.
const MOST_OUTPUT: u64 = 64 << 20;
/// How long an ended process' pipes may stay open in the hands of something that it left behind.
const GRACE: Duration = Duration::from_secs(2);

/// A command that is not running yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directories: Vec<PathBuf>,
    deadline: Duration,
}

/// What a command that ended with 0 has written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The tail of standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum CommandError {
    /// No such program in any of the directories.
    #[error("{argv}: no such program")]
    NotFound {
        /// The argument vector.
        argv: String,
    },
    /// It could not be started, or its pipes broke.
    #[error("{argv}: {source}")]
    Io {
        /// The argument vector.
        argv: String,
        /// What came back.
        #[source]
        source: io::Error,
    },
    /// What it was to be fed could not be read.
    #[error("{argv}: its input could not be read: {source}")]
    Input {
        /// The argument vector.
        argv: String,
        /// What came back.
        #[source]
        source: io::Error,
    },
    /// It ended with something other than 0.
    #[error("{argv}: {status}{}", said(stderr))]
    Failed {
        /// The argument vector.
        argv: String,
        /// Exit code or signal.
        status: ExitStatus,
        /// The tail of standard error.
        stderr: String,
    },
    /// It was killed at its deadline.
    #[error("{argv}: not done after {seconds} s and killed{}", said(stderr))]
    Deadline {
        /// The argument vector.
        argv: String,
        /// The deadline.
        seconds: u64,
        /// The tail of standard error.
        stderr: String,
    },
    /// It wrote more than anything we run has a reason to write.
    #[error("{argv}: wrote more than {} MiB", MOST_OUTPUT >> 20)]
    TooMuch {
        /// The argument vector.
        argv: String,
    },
}

impl CommandError {
    /// The argument vector.
    pub fn argv(&self) -> &str {
        match self {
            Self::NotFound { argv }
            | Self::Io { argv, .. }
            | Self::Input { argv, .. }
            | Self::Failed { argv, .. }
            | Self::Deadline { argv, .. }
            | Self::TooMuch { argv } => argv,
        }
    }

    /// The message without the argument vector.
    pub fn reason(&self) -> String {
        let message = self.to_string();
        message
            .strip_prefix(self.argv())
            .and_then(|rest| rest.strip_prefix(": "))
            .map_or(message.clone(), str::to_owned)
    }

    /// What to do next, where the kind of error tells.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { argv } => {
                let program = argv.split(' ').next().unwrap_or_default();
                Some(format!("install the package that brings {program}, or put it in one of {DIRECTORIES}"))
            }
            _ => None,
        }
    }
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

impl Command {
    /// The program by name or path; its deadline is a minute until [`Self::deadline`] says otherwise.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directories: Vec::new(),
            deadline: Duration::from_secs(60),
        }
    }

    /// One more argument. Secrets never go here: every user of the host can read argument vectors.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment beside those that it inherits.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A directory to look for the program in, after the usual ones.
    #[must_use]
    pub fn also_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directories.push(directory.into());
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The argument vector as one line for people; not for a shell.
    pub fn argv(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        let plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control());
        words.map(|word| if plain(word) { word.clone() } else { format!("{word:?}") }).collect::<Vec<_>>().join(" ")
    }

    /// Runs it without input and waits for its end.
    pub fn run(&self) -> Result<Output, CommandError> {
        let mut child = self.start(Stdio::null())?;
        self.finish(&mut child, None)
    }

    /// Runs it with `source` as its standard input, without a file in between, and waits for its end.
    pub fn feed(&self, source: &mut dyn Read) -> Result<Output, CommandError> {
        let mut child = self.start(Stdio::piped())?;
        self.finish(&mut child, Some(source))
    }

    fn start(&self, stdin: Stdio) -> Result<Child, CommandError> {
        #[allow(clippy::disallowed_methods, reason = "this is the door")]
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).env("PATH", self.path()).env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let parent = std::process::id();
        // The thread that starts a process waits for it, so "parent death" is the end of this whole process and not
        // that of a pool's idle thread.
        // SAFETY: between fork and exec only prctl(2) and getppid(2) are called; both are async-signal-safe.
        #[allow(unsafe_code, reason = "a child must not outlive a killed agent, and there is no safe way to say so")]
        unsafe {
            command.pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                if nix::unistd::getppid().as_raw().unsigned_abs() != parent {
                    return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
                }
                Ok(())
            });
        }
        command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => CommandError::NotFound { argv: self.argv() },
            _ => CommandError::Io { argv: self.argv(), source },
        })
    }

    fn path(&self) -> String {
        let inherited = std::env::var("PATH").unwrap_or_default();
        let mut path = if inherited.is_empty() { DIRECTORIES.to_owned() } else { format!("{inherited}:{DIRECTORIES}") };
        for directory in &self.directories {
            path.push(':');
            path.push_str(&directory.to_string_lossy());
        }
        path
    }

    fn finish(&self, child: &mut Child, source: Option<&mut dyn Read>) -> Result<Output, CommandError> {
        let broken = |source| CommandError::Io { argv: self.argv(), source };
        let stdout = child.stdout.take().map(|pipe| in_background(move || head(pipe)));
        let stderr = child.stderr.take().map(|pipe| in_background(move || tail(pipe)));
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let deadline = self.deadline;
        let (done, watch) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            let late = watch.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout);
            if late {
                // The group and not the process alone: what it started holds its pipes.
                let _ = killpg(group, Signal::SIGKILL);
            }
            late
        });
        let fed = match (source, child.stdin.take()) {
            (Some(source), Some(mut stdin)) => {
                widen(&stdin);
                feed(source, &mut stdin)
            }
            _ => Ok(()),
        };
        if fed.is_err() {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let status = child.wait();
        drop(done);
        let late = watchdog.join().unwrap_or(false);
        let status = status.map_err(broken)?;
        let stderr = stderr.and_then(|tail| tail.recv_timeout(GRACE).ok()).unwrap_or_default();
        if let Err(source) = fed {
            return Err(CommandError::Input { argv: self.argv(), source });
        }
        if late && status.signal().is_some() {
            return Err(CommandError::Deadline { argv: self.argv(), seconds: deadline.as_secs(), stderr });
        }
        if !status.success() {
            return Err(CommandError::Failed { argv: self.argv(), status, stderr });
        }
        let stdout = stdout.and_then(|head| head.recv_timeout(GRACE).ok()).unwrap_or_else(|| Ok(Vec::new()));
        let stdout = stdout.map_err(broken)?;
        if stdout.len() as u64 > MOST_OUTPUT {
            return Err(CommandError::TooMuch { argv: self.argv() });
        }
        Ok(Output { stdout, stderr })
    }
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}

/// Makes a pipe as large as an ordinary user may: each switch between the two sides then moves more. A kernel that
/// refuses leaves it as it was.
fn widen(pipe: &impl std::os::fd::AsFd) {
    let _ = nix::fcntl::fcntl(pipe.as_fd(), nix::fcntl::FcntlArg::F_SETPIPE_SZ(1 << 20));
}

/// Copies until the end; a process that ends early speaks through its exit code, not through our broken pipe.
fn feed(source: &mut dyn Read, stdin: &mut impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = source.read(&mut buffer)?;
        if length == 0 || stdin.write_all(&buffer[..length]).is_err() {
            return Ok(());
        }
    }
}

fn head(mut pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    (&mut pipe).take(MOST_OUTPUT + 1).read_to_end(&mut output)?;
    io::copy(&mut pipe, &mut io::sink())?;
    Ok(output)
}

fn tail(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..length]);
        let surplus = kept.len().saturating_sub(TAIL);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// The file called `program` in one of `directories`, where it can be executed.
pub fn find<'a>(program: &str, directories: impl IntoIterator<Item = &'a Path>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable =
        |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    directories.into_iter().map(|directory| directory.join(OsStr::new(program))).find(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_comes_back_and_the_environment_is_plain() {
        let output = Command::new("sh").args(["-c", "echo $LC_ALL; echo oops >&2"]).run().unwrap();
        assert_eq!((output.text().as_str(), output.stderr.as_str()), ("C\n", "oops"));
    }

    #[test]
    fn errors_name_argv_code_and_the_tail_of_stderr() {
        let script = "for i in $(seq 2000); do echo line $i >&2; done; exit 3";
        let error = Command::new("sh").args(["-c", script]).run().unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("sh -c \"for i in"), "{message}");
        assert!(message.contains("exit status: 3") && message.ends_with("line 2000"), "{message}");
        assert!(message.len() < TAIL + 200, "{}", message.len());
    }

    #[test]
    fn a_signal_is_named() {
        let error = Command::new("sh").args(["-c", "kill -TERM $$"]).run().unwrap_err();
        assert!(error.to_string().contains("SIGTERM"), "{error}");
    }

    #[test]
    fn a_missing_program_has_a_hint() {
        let error = Command::new("kubewright-no-such-program").arg("x").run().unwrap_err();
        assert!(matches!(error, CommandError::NotFound { .. }));
        assert!(error.hint().unwrap().contains("kubewright-no-such-program"));
    }

    #[test]
    fn the_deadline_kills_the_command_and_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! >{}; wait", pid.display());
        let error = Command::new("sh").args(["-c", &script]).deadline(Duration::from_secs(3)).run().unwrap_err();
        assert!(matches!(error, CommandError::Deadline { .. }), "{error}");
        let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        // The killed grandchild is init's to reap; until then it is a zombie.
        let alive = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        let since = std::time::Instant::now();
        while alive() {
            assert!(since.elapsed() < Duration::from_secs(60), "the grandchild lives on");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn input_is_fed_and_an_early_end_is_not_a_broken_pipe() {
        let output = Command::new("cat").feed(&mut "hello".as_bytes()).unwrap();
        assert_eq!(output.text(), "hello");
        let mut endless = io::repeat(b'x').take(8 << 20);
        let error = Command::new("sh").args(["-c", "echo no >&2; exit 9"]).feed(&mut endless).unwrap_err();
        assert!(error.to_string().ends_with("exit status: 9: no"), "{error}");
    }

    #[test]
    fn a_source_that_breaks_is_told_apart_from_the_command() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("bad block"))
            }
        }
        let error = Command::new("cat").feed(&mut Broken).unwrap_err();
        assert!(matches!(&error, CommandError::Input { .. }), "{error}");
        assert_eq!(error.reason(), "its input could not be read: bad block");
    }

    #[test]
    fn argv_is_readable() {
        assert_eq!(Command::new("ctr").args(["a b", "", "c"]).argv(), "ctr \"a b\" \"\" c");
    }
}
