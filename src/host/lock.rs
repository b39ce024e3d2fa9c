//! The run lock: a file lock that lives as long as this process. It cannot go stale, because the kernel gives it up
//! when the process ends, however it ends; what stands in the file only says who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::machine::{Machine, STATE, found};
use super::protocol::{Failure, Holder};

/// How long a lock may outlive the session that held it: sshd needs a moment to notice that a connection is gone.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// The lock; giving it up is dropping it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Ours, or whose.
pub(super) enum Taken {
    Locked(Lock),
    Held(Holder),
}

/// Where the lock is.
pub(super) fn path() -> String {
    format!("{STATE}/lock")
}

/// Takes the lock, or says who has it.
pub(super) fn take(machine: &Machine, holder: &Holder) -> Result<Taken, Failure> {
    machine.own_directory(STATE)?;
    let file = machine.root.at(path());
    let since = machine.system.elapsed();
    loop {
        if let Some(lock) = attempt(&file, holder)? {
            return Ok(Taken::Locked(lock));
        }
        if machine.system.elapsed().saturating_sub(since) >= PATIENCE {
            return Ok(Taken::Held(holder_in(&file)));
        }
        machine.system.pause(PAUSE);
    }
}

fn attempt(path: &Path, holder: &Holder) -> Result<Option<Lock>, Failure> {
    let failed = |error| Failure::new(format!("locking {}", path.display()), error);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = options.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // A reset removes the file: a lock on one that no longer has the name protects nothing.
    let ours = file.metadata().map_err(failed)?;
    if fs::metadata(path).map(|there| (there.dev(), there.ino())).ok() != Some((ours.dev(), ours.ino())) {
        return Ok(None);
    }
    let text = serde_json::to_vec(holder).map_err(|error| failed(error.into()))?;
    let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(&text));
    written.map_err(failed)?;
    Ok(Some(Lock { _file: file }))
}

/// Who holds the lock, if anybody does.
pub(super) fn holder(machine: &Machine) -> Result<Option<Holder>, Failure> {
    let path = machine.root.at(path());
    let failed = |error| Failure::new(format!("looking at the lock {}", path.display()), error);
    let Some(file) = found(File::open(&path)).map_err(failed)? else { return Ok(None) };
    // Held for this moment only: a run that begins now tries again for two seconds.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(holder_in(&path))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn holder_in(path: &Path) -> Holder {
    let mut text = String::new();
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    let holder = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    let unknown = || "unknown".to_owned();
    holder.unwrap_or_else(|| Holder { user: unknown(), host: unknown(), pid: 0, verb: unknown(), since: unknown() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::*;

    fn holder(user: &str) -> Holder {
        let since = "2026-11-20T10:00:00Z".into();
        Holder { user: user.into(), host: "bastion".into(), pid: 7, verb: "install".into(), since }
    }

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_when_the_first_is_gone() {
        let host = Scripted::new();
        let Taken::Locked(lock) = take(&host.machine, &holder("ann")).unwrap() else { panic!("held") };
        let Taken::Held(by) = take(&host.machine, &holder("bob")).unwrap() else { panic!("taken twice") };
        assert_eq!(by, holder("ann"));
        assert_eq!(super::holder(&host.machine).unwrap(), Some(holder("ann")));
        assert!(host.machine.system.elapsed() >= PATIENCE);
        drop(lock);
        assert_eq!(super::holder(&host.machine).unwrap(), None);
        assert!(matches!(take(&host.machine, &holder("bob")).unwrap(), Taken::Locked(_)));
    }

    #[test]
    fn a_lock_on_a_removed_file_protects_nothing() {
        let host = Scripted::new();
        let Taken::Locked(_old) = take(&host.machine, &holder("ann")).unwrap() else { panic!("held") };
        fs::remove_file(host.at(&path())).unwrap();
        let Taken::Locked(_new) = take(&host.machine, &holder("bob")).unwrap() else { panic!("held") };
        assert!(matches!(take(&host.machine, &holder("eve")).unwrap(), Taken::Held(by) if by.user == "bob"));
    }

    #[test]
    fn rubbish_in_the_file_does_not_hide_that_it_is_held() {
        let host = Scripted::new();
        let Taken::Locked(_lock) = take(&host.machine, &holder("ann")).unwrap() else { panic!("held") };
        fs::write(host.at(&path()), "{").unwrap();
        assert!(matches!(take(&host.machine, &holder("bob")).unwrap(), Taken::Held(by) if by.user == "unknown"));
    }
}
