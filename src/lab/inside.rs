//! Commands inside the lab: in its namespace, and with its inventory and kubeconfig in their environment.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::layout::Layout;
use super::namespace::Namespace;
use super::process::{self, ProcessId};
use super::{Lab, LabError, command, files};

impl Lab {
    /// Runs `work` on a thread inside the lab's namespace; threads, runtimes and processes that it starts are inside, too.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        self.namespace.run(work)
    }

    /// Runs a command inside the lab, with this process' standard input and output.
    pub fn exec(&self, argv: &[OsString]) -> Result<ExitStatus, LabError> {
        let mut command = self.command(argv)?;
        let name = command::argv(&command);
        self.inside(|| command.status())?.map_err(|source| LabError::Start { argv: name, source })
    }

    /// Runs a command inside the lab and returns what it has written.
    pub fn output(&self, argv: &[OsString]) -> Result<Output, LabError> {
        let mut command = self.command(argv)?;
        let name = command::argv(&command);
        self.inside(|| command.output())?.map_err(|source| LabError::Start { argv: name, source })
    }

    /// Becomes a command inside the lab, so that its exit code, its signals and its terminal are this process' own.
    /// Returns only if that fails.
    pub fn become_command(&self, argv: &[OsString]) -> LabError {
        let attempt = || -> Result<LabError, LabError> {
            let mut command = self.command(argv)?;
            register(&self.layout)?;
            self.namespace.enter()?;
            Ok(LabError::Start { argv: command::argv(&command), source: command.exec() })
        };
        attempt().unwrap_or_else(|error| error)
    }

    /// The arguments of ssh that log in to `[USER@]HOST` and run `remote` there.
    pub fn ssh(&self, target: &str, remote: &[OsString]) -> Result<Vec<OsString>, LabError> {
        let (user, host) = target.split_once('@').unwrap_or(("root", target));
        let address = self.host(host)?.address;
        let known_hosts = format!("UserKnownHostsFile={}", self.layout.known_hosts().display());
        let mut argv: Vec<OsString> = ["ssh", "-F", "none", "-i"].map(OsString::from).into();
        argv.push(self.layout.keys().login().into());
        for option in ["IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=none", &known_hosts] {
            argv.extend(["-o".into(), option.into()]);
        }
        argv.extend([format!("{user}@{address}").into(), "--".into()]);
        argv.extend_from_slice(remote);
        Ok(argv)
    }

    fn command(&self, argv: &[OsString]) -> Result<Command, LabError> {
        let (program, arguments) =
            argv.split_first().ok_or_else(|| LabError::Option("no command to run inside the lab".into()))?;
        let path = self.path()?;
        // Looked up in the path it will have, not in this process' own.
        let program = match program.to_str() {
            Some(name) if !name.contains('/') => std::env::split_paths(&path)
                .map(|directory| directory.join(name))
                .find(|file| file.is_file())
                .unwrap_or_else(|| PathBuf::from(name)),
            _ => PathBuf::from(program),
        };
        let mut command = command::new(program);
        command
            .args(arguments)
            .env("PATH", path)
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBEWRIGHT_INVENTORY", self.inventory())
            .env("KUBEWRIGHT_LAB", self.name().as_str());
        // The keys and logs of the lab's cluster go with the lab, unless somebody wants them elsewhere.
        if std::env::var_os("KUBEWRIGHT_STATE_DIR").is_none_or(|value| value.is_empty()) {
            command.env("KUBEWRIGHT_STATE_DIR", self.layout.state());
        }
        Ok(command)
    }

    /// This very `kubewright` and the cluster image's `kubectl` first.
    fn path(&self) -> Result<OsString, LabError> {
        let directory = self.layout.programs();
        let link = directory.join("kubewright");
        if fs::read_link(&link).ok().as_ref() != Some(&self.places.program) {
            files::make_directory(&directory)?;
            let beside = link.with_added_extension(std::process::id().to_string());
            std::os::unix::fs::symlink(&self.places.program, &beside)
                .and_then(|()| fs::rename(&beside, &link))
                .map_err(LabError::file("link", &link))?;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = [directory, self.places.programs()].into_iter().chain(std::env::split_paths(&path));
        std::env::join_paths(directories).map_err(|error| LabError::Machine {
            what: format!("PATH cannot be extended: {error}"),
            hint: "remove entries that hold a colon".into(),
        })
    }
}

/// Writes down that this process is about to become a command inside the lab, for [`end_all`].
fn register(layout: &Layout) -> Result<(), LabError> {
    let directory = layout.commands();
    files::make_directory(&directory)?;
    for (file, process) in registered(layout) {
        if process.is_none() {
            let _ = fs::remove_file(file);
        }
    }
    let own = ProcessId::own();
    own.map_or(Ok(()), |process| process.record(&directory.join(process.pid().to_string())))
}

fn registered(layout: &Layout) -> Vec<(PathBuf, Option<ProcessId>)> {
    let entries = fs::read_dir(layout.commands()).into_iter().flatten().flatten();
    entries.map(|entry| (entry.path(), ProcessId::recorded(&entry.path()))).collect()
}

/// Ends the commands that were started inside the lab and still run: asks, then kills. This process and its parents
/// are spared, so that a lab can be ended from inside.
pub(super) fn end_all(layout: &Layout) {
    let spared = process::ancestors();
    let running: Vec<ProcessId> = registered(layout).into_iter().filter_map(|(_, process)| process).collect();
    end(running.into_iter().filter(|process| !spared.contains(&process.pid())).collect());
}

/// Ends what is left in the namespace when the hosts are gone: what commands have started and left behind.
pub(super) fn end_rest(namespace: &Namespace) {
    let Some(inode) = namespace.inode() else { return };
    let spared = process::ancestors();
    end(process::in_namespace(inode).into_iter().filter(|process| !spared.contains(&process.pid())).collect());
}

fn end(running: Vec<ProcessId>) {
    running.iter().for_each(|process| process.signal(Signal::SIGTERM));
    let begin = Instant::now();
    while running.iter().any(|process| process.is_alive()) && begin.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.iter().for_each(|process| process.signal(Signal::SIGKILL));
}
