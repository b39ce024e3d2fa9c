//! Files that a verb writes for its user.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Failure;

/// Mode of a file that its owner alone may read.
pub(super) const SECRET: u32 = 0o600;
/// Mode of a file as the user's umask has it.
pub(super) const PUBLIC: u32 = 0o666;

/// Where to write: the file that a link leads to, so that the link stays. A slip of the finger must not cost another
/// file, or a device: only what `is_own` knows, a `kind`, is replaced.
pub(super) fn free_for(path: &Path, kind: &str, is_own: impl Fn(&str) -> bool) -> Result<PathBuf, Failure> {
    let refused =
        |why: &str| Failure::usage(format!("--to {}: {why}; name another file, or move this one away", path.display()));
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return absent(path),
        Err(error) => return Err(refused(&error.to_string())),
        Ok(_) => {}
    }
    let path = std::fs::canonicalize(path).map_err(|error| refused(&format!("the link leads nowhere: {error}")))?;
    if !path.is_file() {
        return Err(refused("it is no regular file"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| refused(&error.to_string()))?;
    if text.is_empty() || is_own(&text) {
        return Ok(path);
    }
    Err(refused(&format!("it is there already and no {kind}")))
}

/// Before anything is asked that takes its time: whether there is a directory for it.
pub(super) fn absent(path: &Path) -> Result<PathBuf, Failure> {
    let directory = directory(path);
    if path.file_name().is_none() || !directory.is_dir() {
        let why = format!("--to {}: {} is no directory", path.display(), directory.display());
        return Err(Failure::usage(format!("{why}; make it, or name another file")));
    }
    Ok(path.to_owned())
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes beside, syncs, and renames, so that a file in use is never half there.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let describe = |error: std::io::Error| {
        Failure::new(format!("cannot write {}: {error}; name another file with --to", path.display()))
    };
    let mut beside = tempfile::Builder::new();
    let beside = beside.prefix(".kubewright-").permissions(Permissions::from_mode(mode)).tempfile_in(directory(path));
    let mut file = beside.map_err(describe)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(describe)?;
    file.persist(path).map_err(|error| describe(error.error))?;
    std::fs::File::open(directory(path)).and_then(|directory| directory.sync_all()).map_err(describe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_replaced_and_links_are_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("old"), "apiVersion: v1\nkind: Config\n").unwrap();
        std::fs::write(at("other"), "dear diary\n").unwrap();
        std::fs::write(at("empty"), "").unwrap();
        std::os::unix::fs::symlink("old", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let place = |path: &Path| free_for(path, "kubeconfig", |text| text.contains("kind: Config"));
        for (name, place_of) in [
            ("new", Some("new")),
            ("old", Some("old")),
            ("empty", Some("empty")),
            ("link", Some("old")),
            ("other", None),
            ("dangling", None),
            ("fifo", None),
            ("nowhere/new", None),
        ] {
            let found = place(&at(name)).ok();
            assert_eq!(found.as_deref().and_then(Path::file_name), place_of.map(std::ffi::OsStr::new), "{name}");
        }
        assert!(place(Path::new("/dev/null")).is_err() && place(Path::new("/dev/full")).is_err());
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a");
        write(&file, "one", SECRET).unwrap();
        write(&file, "two", SECRET).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, SECRET);
        let error = write(&directory.path().join("nowhere/a"), "x", SECRET).unwrap_err();
        assert!(error.message.contains("cannot write") && error.message.contains("--to"), "{}", error.message);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
