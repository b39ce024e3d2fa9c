//! The running system behind one trait: processes, mounts, signals, addresses and time. Everything else that the
//! agent touches is a file below its root.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::ifaddrs::getifaddrs;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::{Command, CommandError, Output};
use super::{containerd, probe};

/// What only a running system can do.
pub(super) trait System: Send + Sync {
    /// Runs a command.
    fn run(&self, command: &Command) -> Result<Output, CommandError>;
    /// Runs a command that reads `source`.
    fn feed(&self, command: &Command, source: &mut dyn Read) -> Result<Output, CommandError>;
    /// Labels of containerd's images, by reference.
    fn images(&self, socket: &Path) -> io::Result<containerd::Images>;
    /// Sets labels on an image of containerd; [`io::ErrorKind::NotFound`] when it knows none of that reference.
    fn label_image(&self, socket: &Path, reference: &str, labels: &BTreeMap<String, String>) -> io::Result<()>;
    /// containerd's images with their versions, and which of them containers use.
    fn image_catalogue(&self, socket: &Path) -> io::Result<containerd::Catalogue>;
    /// Removes a reference from containerd; [`io::ErrorKind::NotFound`] when it knows none of that name.
    fn remove_image(&self, socket: &Path, reference: &str) -> io::Result<()>;
    /// Removes references from containerd, and waits until all that was unpacked for them only is gone, even where a
    /// lease from before `boot` holds it.
    fn forget_images(&self, socket: &Path, references: &[String], boot: SystemTime) -> io::Result<()>;
    /// The body of a URL of this host that answers 200.
    fn get(&self, url: &str) -> io::Result<String>;
    /// Detaches the file system mounted at `path`.
    fn unmount(&self, path: &Path) -> io::Result<()>;
    /// Kills a process; one that is gone already is killed.
    fn kill(&self, pid: i32) -> io::Result<()>;
    /// Addresses in CIDR form, by interface.
    fn addresses(&self) -> io::Result<BTreeMap<String, Vec<String>>>;
    /// Time since some moment in the past; never runs backwards.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn pause(&self, time: Duration);
}

/// The system that this process runs on.
pub(super) struct Live {
    since: Instant,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { since: Instant::now() }
    }
}

impl System for Live {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        command.run()
    }

    fn feed(&self, command: &Command, source: &mut dyn Read) -> Result<Output, CommandError> {
        command.feed(source)
    }

    fn images(&self, socket: &Path) -> io::Result<containerd::Images> {
        containerd::images(socket)
    }

    fn label_image(&self, socket: &Path, reference: &str, labels: &BTreeMap<String, String>) -> io::Result<()> {
        containerd::label(socket, reference, labels)
    }

    fn image_catalogue(&self, socket: &Path) -> io::Result<containerd::Catalogue> {
        containerd::catalogue(socket)
    }

    fn remove_image(&self, socket: &Path, reference: &str) -> io::Result<()> {
        containerd::remove(socket, reference)
    }

    fn forget_images(&self, socket: &Path, references: &[String], boot: SystemTime) -> io::Result<()> {
        containerd::forget(socket, references, boot)
    }

    fn get(&self, url: &str) -> io::Result<String> {
        probe::body(url)
    }

    fn unmount(&self, path: &Path) -> io::Result<()> {
        Ok(umount2(path, MntFlags::MNT_DETACH)?)
    }

    fn kill(&self, pid: i32) -> io::Result<()> {
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Err(nix::errno::Errno::ESRCH) => Ok(()),
            other => Ok(other?),
        }
    }

    fn addresses(&self) -> io::Result<BTreeMap<String, Vec<String>>> {
        let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in getifaddrs()? {
            let (Some(address), Some(mask)) = (entry.address, entry.netmask) else { continue };
            let cidr = if let (Some(ip), Some(mask)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
                format!("{}/{}", ip.ip(), u32::from(mask.ip()).count_ones())
            } else if let (Some(ip), Some(mask)) = (address.as_sockaddr_in6(), mask.as_sockaddr_in6()) {
                format!("{}/{}", ip.ip(), u128::from(mask.ip()).count_ones())
            } else {
                continue;
            };
            addresses.entry(entry.interface_name).or_default().push(cidr);
        }
        Ok(addresses)
    }

    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    fn pause(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// A directory that stands for a root: it has files and nothing that runs. Commands that take a `--root` may run;
/// anything else would change the machine that holds the directory.
pub(super) struct Elsewhere(Live);

impl Elsewhere {
    pub(super) fn new() -> Self {
        Self(Live::new())
    }

    fn refuse(command: &Command) -> CommandError {
        let source = io::Error::other("refused: this agent works on a directory and not on the running system");
        CommandError::Io { argv: command.argv(), source }
    }
}

impl System for Elsewhere {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        if command.argv().contains(" --root=") { command.run() } else { Err(Self::refuse(command)) }
    }

    fn feed(&self, command: &Command, _: &mut dyn Read) -> Result<Output, CommandError> {
        Err(Self::refuse(command))
    }

    fn images(&self, _: &Path) -> io::Result<containerd::Images> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn label_image(&self, _: &Path, _: &str, _: &BTreeMap<String, String>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn image_catalogue(&self, _: &Path) -> io::Result<containerd::Catalogue> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_image(&self, _: &Path, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn forget_images(&self, _: &Path, _: &[String], _: SystemTime) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn get(&self, _: &str) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn unmount(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn kill(&self, _: i32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn addresses(&self) -> io::Result<BTreeMap<String, Vec<String>>> {
        Ok(BTreeMap::new())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn pause(&self, time: Duration) {
        self.0.pause(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_its_address_and_prefix() {
        let addresses = Live::new().addresses().unwrap();
        assert!(addresses["lo"].contains(&"127.0.0.1/8".to_owned()), "{addresses:?}");
    }

    #[test]
    fn a_directory_never_runs_anything_on_the_machine_that_holds_it() {
        assert!(Elsewhere::new().run(&Command::new("true")).is_err());
        assert!(Elsewhere::new().run(&Command::new("true").arg("--root=/srv")).is_ok());
    }
}
