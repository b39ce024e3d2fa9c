//! Mount namespaces: mounts that nobody else sees, and that go with the process that made them.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::LabError;

/// Gives the calling thread a mount namespace of its own. It follows what is mounted and unmounted outside, so that it
/// keeps no other lab's namespace alive, and lets nothing out.
pub(super) fn leave_shared() -> Result<(), LabError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(LabError::system("leave the shared mount namespace"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(LabError::system("keep mounts from spreading"))
}

/// Runs `work` on a thread that has a mount namespace of its own.
pub(super) fn in_own_namespace<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| leave_shared().map(|()| work()));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Mounts memory at `path`, without a limit of its own: its only file is as large as the host it belongs to.
pub(super) fn memory_at(path: &Path) -> Result<(), LabError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("kubewright-lab"), path, Some("tmpfs"), flags, Some("size=0,mode=0700"))
        .map_err(LabError::system(format!("mount a tmpfs at {}", path.display())))
}
