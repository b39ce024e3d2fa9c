//! The process that watches over one host: starts its kernel, starts it again when the host restarts, and leaves no
//! process of it behind. It lives in the lab's namespace, outlives the command that started it, and ends with its host.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, setsid};

use super::kernel::{self, Ending};
use super::layout::{Layout, Record};
use super::machine::{Machine, Power};
use super::namespace::Namespace;
use super::process::ProcessId;
use super::topology::LabHost;
use super::{LabError, command, files, mounts, processor};

/// A kernel that dies within this time has not started at all.
const STILLBORN: Duration = Duration::from_secs(5);
/// How often that may happen before the supervisor gives up.
const ATTEMPTS: u32 = 3;
/// A console log that is longer than this when a host starts is set aside.
const LONG_LOG: u64 = 4 << 20;

/// Starts the supervisor of `host` apart from the caller's terminal and returns once it has taken over.
pub fn detach(lab: &Path, host: &str) -> Result<(), LabError> {
    let (machine, ..) = open(lab, host)?;
    // Fails only when this process leads a group already, which then is as good.
    let _ = setsid();
    let program = std::env::current_exe().map_err(LabError::file("find", "the running program"))?;
    let mut supervisor = command::new(program);
    supervisor.args(["lab", "supervise", "--detached"]).arg(lab).arg(host);
    let argv = command::argv(&supervisor);
    let failed = |source| LabError::Start { argv: argv.clone(), source };
    let mut child = supervisor.spawn().map_err(failed)?;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Err(LabError::Failed { argv, status: status.to_string(), stderr: String::new() });
        }
        let taken = ProcessId::recorded(&machine.supervisor_file());
        if taken.is_some_and(|process| process.pid().cast_unsigned() == child.id()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Watches over `host` until it is switched off.
pub fn supervise(lab: &Path, host: &str) -> Result<(), LabError> {
    let (machine, record, host) = open(lab, host)?;
    let Some(_lock) = files::try_lock(&machine.lock())? else {
        return Err(LabError::Machine {
            what: format!("{} has a supervisor already", machine.name),
            hint: format!("look at `kubewright lab status --name {}`", record.options.name),
        });
    };
    // What the kernel leaves behind becomes this process's to bury, and does not linger elsewhere.
    prctl::set_child_subreaper(true).map_err(LabError::system("become the reaper of the kernel's processes"))?;
    let memory = machine.directory.join("memory");
    files::make_directory(&memory)?;
    mounts::leave_shared()?;
    mounts::memory_at(&memory)?;
    let own = ProcessId::own().ok_or_else(|| LabError::File {
        action: "read",
        path: "/proc/self/stat".into(),
        source: std::io::Error::other("no start time in it"),
    })?;
    own.record(&machine.supervisor_file())?;
    // A slow host is better than none.
    let number = record.hosts.iter().position(|known| known.name == host.name).unwrap_or(0);
    if let Err(error) = processor::keep_to_one(number) {
        note(&machine, &error.to_string());
    }
    let result = watch(&machine, &record, &host, &memory);
    let _ = fs::remove_file(machine.supervisor_file());
    result
}

fn open(lab: &Path, host: &str) -> Result<(Machine, Record, LabHost), LabError> {
    let layout = Layout { directory: lab.to_owned() };
    let name = lab.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let record = Record::read(&layout)?.ok_or(LabError::NoLab { name })?;
    let found = record.hosts.iter().find(|known| known.name == host).cloned();
    let found = found.ok_or_else(|| LabError::NoHost {
        host: host.to_owned(),
        hosts: record.hosts.iter().map(|host| host.name.clone()).collect(),
    })?;
    let namespace = Namespace::new(record.options.name.namespace());
    Ok((Machine::new(&layout, &namespace, host), record, found))
}

fn watch(machine: &Machine, record: &Record, host: &LabHost, memory: &Path) -> Result<(), LabError> {
    let mut stillborn = 0;
    while machine.is_switched_on() {
        let begin = Instant::now();
        let ending = live(machine, record, host, memory)?;
        note(machine, &format!("the kernel ended after {} s: {ending:?}", begin.elapsed().as_secs()));
        match ending {
            Ending::PoweredOff => return machine.switch(Power::Off),
            Ending::Died if begin.elapsed() < STILLBORN => stillborn += 1,
            _ => stillborn = 0,
        }
        if stillborn == ATTEMPTS {
            note(machine, "it does not start; giving up");
            return machine.switch(Power::Off);
        }
    }
    Ok(())
}

/// One life of the kernel, from its start until nothing of it is left.
fn live(machine: &Machine, record: &Record, host: &LabHost, memory: &Path) -> Result<Ending, LabError> {
    let console = machine.console();
    let (log, from) = open_console(&console)?;
    let both = log.try_clone().map_err(LabError::file("write", &console))?;
    let mut kernel = kernel::command(record, host, memory);
    kernel.current_dir(&machine.directory).stdin(Stdio::null()).stdout(log).stderr(both);
    // A group of its own: what is killed at the end.
    kernel.process_group(0);
    let argv = command::argv(&kernel);
    let mut child = kernel.spawn().map_err(|source| LabError::Start { argv, source })?;
    let pid = child.id().cast_signed();
    let recorded = ProcessId::of(pid).map_or(Ok(()), |process| process.record(&machine.kernel_file()));
    if recorded.is_err() {
        // Nobody could ever switch it off.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    // Not reaped yet, so that its number still means its group and nobody else's.
    while waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    let _ = child.wait();
    while !matches!(waitpid(None, None), Err(Errno::ECHILD)) {}
    let _ = fs::remove_file(machine.kernel_file());
    recorded.map(|()| Ending::read(&files::end_of(&console, from)))
}

/// The console log, and where this life of the kernel begins in it.
fn open_console(path: &Path) -> Result<(File, u64), LabError> {
    let length = || fs::metadata(path).map_or(0, |metadata| metadata.len());
    if length() > LONG_LOG {
        fs::rename(path, path.with_added_extension("1")).map_err(LabError::file("set aside", path))?;
    }
    let from = length();
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(LabError::file("write", path))?;
    Ok((file, from))
}

/// Writes a line to the supervisor's log; that it cannot is no reason to leave the host alone.
fn note(machine: &Machine, text: &str) {
    let file = OpenOptions::new().create(true).append(true).open(machine.log());
    let _ = file.and_then(|mut file| writeln!(file, "{:.0} {text}", jiff::Timestamp::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_console_log_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.log");
        assert_eq!(open_console(&path).unwrap().1, 0);
        fs::write(&path, "short").unwrap();
        assert_eq!(open_console(&path).unwrap().1, 5);
        fs::write(&path, vec![b'x'; (LONG_LOG + 1) as usize]).unwrap();
        assert_eq!(open_console(&path).unwrap().1, 0);
        assert!(directory.path().join("console.log.1").exists());
    }

    #[test]
    fn a_lab_or_host_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = supervise(directory.path(), "m1").unwrap_err();
        assert!(matches!(error, LabError::NoLab { .. }), "{error}");
    }
}
