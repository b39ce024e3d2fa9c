//! Short ways to the resources that most parts have.

use super::state::{Absent, Directory, File, Owner, Resource, Unit};

/// Where systemd looks for the units that kubewright writes.
const UNITS: &str = "/etc/systemd/system";

/// A directory of root's.
pub(super) fn directory(path: &str, mode: u32) -> Resource {
    Resource::Directory(Directory { path: path.to_owned(), mode, owner: Owner::root() })
}

/// A file of root's without secrets; `restarts` are the units that must see a change.
pub(super) fn file(path: &str, mode: u32, content: String, restarts: &[&str]) -> Resource {
    Resource::File(File {
        path: path.to_owned(),
        mode,
        owner: Owner::root(),
        content,
        secret: false,
        restarts: restarts.iter().map(|unit| (*unit).to_owned()).collect(),
        reloads: Vec::new(),
    })
}

/// A file with a secret, which nobody but root reads.
pub(super) fn secret(path: &str, content: String) -> Resource {
    let (path, owner) = (path.to_owned(), Owner::root());
    Resource::File(File { path, mode: 0o600, owner, content, secret: true, restarts: Vec::new(), reloads: Vec::new() })
}

/// A file of root's that the foreign `unit` reads again when it changes.
pub(super) fn reloaded(path: &str, content: String, unit: &str) -> Resource {
    let reloads = vec![unit.to_owned()];
    let (path, owner) = (path.to_owned(), Owner::root());
    Resource::File(File { path, mode: 0o644, owner, content, secret: false, restarts: Vec::new(), reloads })
}

/// The file of a unit.
pub(super) fn unit_file(name: &str, content: String) -> Resource {
    file(&format!("{UNITS}/{name}"), 0o644, content, &[name])
}

/// A unit that runs, now and after a reboot.
pub(super) fn running(name: &str) -> Resource {
    Resource::Unit(Unit { name: name.to_owned(), enabled: true, running: true })
}

/// A unit that does not run, and has no file any more.
pub(super) fn without_unit(name: &str) -> Vec<Resource> {
    let stopped = Resource::Unit(Unit { name: name.to_owned(), enabled: false, running: false });
    vec![stopped, absent(&format!("{UNITS}/{name}"))]
}

/// Nothing at `path`.
pub(super) fn absent(path: &str) -> Resource {
    Resource::Absent(Absent { path: path.to_owned() })
}
