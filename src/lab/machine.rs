//! One host of a lab from the outside: its directory, its power switch, and whether it runs.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::layout::Layout;
use super::namespace::Namespace;
use super::process::{self, ProcessId};
use super::{LabError, command, files};

/// How long a killed host may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// One host of a lab.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    lab: PathBuf,
    namespace: Namespace,
}

impl Machine {
    pub(super) fn new(layout: &Layout, namespace: &Namespace, name: &str) -> Self {
        let directory = layout.hosts().join(name);
        Self { name: name.to_owned(), directory, lab: layout.directory.clone(), namespace: namespace.clone() }
    }

    pub(super) fn seed(&self) -> PathBuf {
        self.directory.join("seed.tar")
    }

    pub(super) fn console(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("supervisor.log")
    }

    /// Locked by the supervisor for as long as it lives.
    pub(super) fn lock(&self) -> PathBuf {
        self.directory.join("supervisor.lock")
    }

    pub(super) fn supervisor_file(&self) -> PathBuf {
        self.directory.join("supervisor.pid")
    }

    pub(super) fn kernel_file(&self) -> PathBuf {
        self.directory.join("kernel.pid")
    }

    fn power_file(&self) -> PathBuf {
        self.directory.join("power")
    }

    /// Whether the host is meant to run.
    pub(super) fn is_switched_on(&self) -> bool {
        fs::read_to_string(self.power_file()).is_ok_and(|text| text == "on\n")
    }

    pub(super) fn switch(&self, power: Power) -> Result<(), LabError> {
        files::write(&self.power_file(), power.as_str(), 0o600)
    }

    /// The host's kernel, as a process of this machine.
    pub(super) fn kernel(&self) -> Option<ProcessId> {
        ProcessId::recorded(&self.kernel_file())
    }

    /// Whether somebody watches over the host, and starts it again when it restarts.
    pub(super) fn is_supervised(&self) -> bool {
        ProcessId::recorded(&self.supervisor_file()).is_some()
    }

    /// Switches the host on unless it is; returns whether it was off.
    pub(super) fn start(&self, program: &Path) -> Result<bool, LabError> {
        if self.is_supervised() {
            return Ok(false);
        }
        // A kernel whose supervisor has died would hold the disk.
        self.stop()?;
        self.switch(Power::On)?;
        let log = OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(LabError::file("write", self.log()))?;
        let both = log.try_clone().map_err(LabError::file("write", self.log()))?;
        let mut supervisor = command::new(program);
        supervisor.args(["lab", "supervise"]).arg(&self.lab).arg(&self.name);
        supervisor.current_dir("/").stdin(Stdio::null()).stdout(log).stderr(both);
        let argv = command::argv(&supervisor);
        let status = self.namespace.run(|| supervisor.status())?;
        let status = status.map_err(|source| LabError::Start { argv: argv.clone(), source })?;
        if status.success() {
            return Ok(true);
        }
        let stderr = command::tail(&files::end_of(&self.log(), 0), 10);
        Err(LabError::Failed { argv, status: status.to_string(), stderr })
    }

    /// Cuts the power: the kernel is killed, whatever it does, and nobody starts it again. Killing is repeated until
    /// nothing is left, because a supervisor may be starting the kernel just now.
    pub(super) fn stop(&self) -> Result<(), LabError> {
        if !self.directory.is_dir() {
            return Ok(());
        }
        self.switch(Power::Off)?;
        let begin = Instant::now();
        loop {
            let left = self.kill_kernel();
            if left == 0 && !self.is_supervised() {
                // A last kernel may have been started between the two looks.
                if self.kill_kernel() == 0 {
                    return Ok(());
                }
            }
            if begin.elapsed() > PATIENCE / 2
                && let Some(supervisor) = ProcessId::recorded(&self.supervisor_file())
            {
                supervisor.signal(Signal::SIGKILL);
            }
            if begin.elapsed() > PATIENCE {
                let (host, log) = (self.name.clone(), self.log());
                return Err(LabError::Undead { host, seconds: PATIENCE.as_secs(), log });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the kernel and the processes that it runs its own processes in; returns how many there were.
    fn kill_kernel(&self) -> usize {
        let Some(kernel) = files::read_if_there(&self.kernel_file()).ok().flatten() else { return 0 };
        let Some(group) = kernel.split(' ').next().and_then(|pid| pid.parse::<i32>().ok()) else { return 0 };
        match (self.kernel(), self.namespace.inode()) {
            // Also when the kernel itself has ended: what it leaves behind is still in its group.
            (_, Some(namespace)) if group > 1 => process::kill_group(group, namespace),
            (Some(kernel), None) => {
                kernel.signal(Signal::SIGKILL);
                1
            }
            _ => 0,
        }
    }
}

/// The switch of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Off,
}

impl Power {
    fn as_str(self) -> &'static str {
        match self {
            Self::On => "on\n",
            Self::Off => "off\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_never_ran_is_off() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout { directory: directory.path().to_owned() };
        let machine = Machine::new(&layout, &Namespace::new("kw-none".into()), "m1");
        assert!(machine.stop().is_ok(), "nothing to stop");
        files::make_directory(&machine.directory).unwrap();
        assert!(!machine.is_switched_on() && !machine.is_supervised() && machine.kernel().is_none());
        machine.switch(Power::On).unwrap();
        assert!(machine.is_switched_on());
        machine.stop().unwrap();
        assert!(!machine.is_switched_on());
    }

    #[test]
    fn a_recorded_number_of_somebody_else_is_not_killed() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout { directory: directory.path().to_owned() };
        let machine = Machine::new(&layout, &Namespace::new("kw-none".into()), "m1");
        files::make_directory(&machine.directory).unwrap();
        let own = ProcessId::own().unwrap().pid();
        // This very process, but with another start: the number was given to it later.
        fs::write(machine.kernel_file(), format!("{own} 1\n")).unwrap();
        fs::write(machine.supervisor_file(), format!("{own} 1\n")).unwrap();
        machine.stop().unwrap();
    }
}
