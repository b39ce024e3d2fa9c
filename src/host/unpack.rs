//! Unpacks a component's layer below one directory and refuses everything that would lead out of it, by name.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

use super::layer::{Archive, malformed};
use super::protocol::Failure;

/// Bytes of a file that are written at once; a copy by itself goes through 8 KiB at a time.
const COPY: usize = 256 << 10;

/// Unpacks what `archive` has below `prefix` (without a leading slash) into the empty directory `target`.
pub(super) fn unpack(what: &str, archive: &mut Archive, prefix: &Path, target: &Path) -> Result<(), Failure> {
    let mut unpacking = Unpacking { what, prefix, target, buffer: vec![0; COPY] };
    for entry in archive.entries().map_err(|error| malformed(what, &error))? {
        unpacking.entry(&mut entry.map_err(|error| malformed(what, &error))?)?;
    }
    Ok(())
}

struct Unpacking<'a> {
    what: &'a str,
    prefix: &'a Path,
    target: &'a Path,
    buffer: Vec<u8>,
}

impl Unpacking<'_> {
    fn entry<R: io::Read>(&mut self, entry: &mut tar::Entry<R>) -> Result<(), Failure> {
        let path = entry.path().map_err(|error| malformed(self.what, &error))?.into_owned();
        let kind = entry.header().entry_type();
        let clean = normal(&path).ok_or_else(|| self.refuse(&path, "leads out of its directory"))?;
        if kind == EntryType::XGlobalHeader || (kind == EntryType::Directory && self.prefix.starts_with(&clean)) {
            return Ok(());
        }
        let Ok(relative) = clean.strip_prefix(self.prefix) else {
            return Err(self.refuse(&path, &format!("is not below {}", self.prefix.display())));
        };
        let parent = relative.parent().ok_or_else(|| self.refuse(&path, "has no name"))?;
        self.directories(&path, parent)?;
        let place = self.target.join(relative);
        let mode = entry.header().mode().map_err(|error| malformed(self.what, &error))? & 0o777;
        match kind {
            EntryType::Directory => self.directories(&path, relative),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(entry, &place, mode).map_err(|error| self.writing(&path, &error))
            }
            EntryType::Symlink => {
                let link = entry.link_name().ok().flatten().unwrap_or_default();
                if !stays_inside(&link, parent.components().count()) {
                    return Err(self.refuse(&path, &format!("is a link out of the component, to {}", link.display())));
                }
                symlink(link, place).map_err(|error| self.writing(&path, &error))
            }
            EntryType::Link => {
                let link = entry.link_name().ok().flatten().unwrap_or_default();
                let source = normal(&link).and_then(|link| link.strip_prefix(self.prefix).ok().map(Path::to_owned));
                let source = source.filter(|source| self.is_file(source));
                let Some(source) = source else {
                    return Err(self.refuse(&path, &format!("is a hard link to {}, no file of it", link.display())));
                };
                fs::hard_link(self.target.join(source), place).map_err(|error| self.writing(&path, &error))
            }
            other => Err(self.refuse(&path, &format!("is of the type {other:?}"))),
        }
    }

    fn file<R: io::Read>(&mut self, entry: &mut tar::Entry<R>, place: &Path, mode: u32) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(place)?;
        let size = entry.size();
        let written = copy(entry, &mut file, &mut self.buffer)?;
        if written != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{written} of {size} bytes")));
        }
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    /// Makes `relative` and its parents. An ancestor that is a link would take the entry somewhere else.
    fn directories(&self, path: &Path, relative: &Path) -> Result<(), Failure> {
        let mut place = self.target.to_owned();
        for part in relative.components() {
            place.push(part);
            match fs::symlink_metadata(&place) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => return Err(self.refuse(path, "stands below something that is not a directory")),
                Err(_) => {
                    let made = DirBuilder::new().mode(0o755).create(&place);
                    made.map_err(|error| self.writing(path, &error))?;
                }
            }
        }
        Ok(())
    }

    /// A regular file, reached without any link.
    fn is_file(&self, relative: &Path) -> bool {
        let mut place = self.target.to_owned();
        let mut kind = None;
        for part in relative.components() {
            place.push(part);
            kind = fs::symlink_metadata(&place).ok().map(|meta| meta.file_type());
            if kind.is_none_or(|kind| kind.is_symlink()) {
                return false;
            }
        }
        kind.is_some_and(|kind| kind.is_file())
    }

    fn refuse(&self, path: &Path, why: &str) -> Failure {
        let hint = "the cluster image is not one of ours, or was built wrongly; nothing was changed";
        Failure::new(self.what, format!("refused: the entry {path:?} {why}")).hint(hint)
    }

    fn writing(&self, path: &Path, error: &io::Error) -> Failure {
        Failure::writing(format!("{}: unpacking {}", self.what, path.display()), error, self.target)
    }
}

/// Copies until the end, in pieces as large as `buffer`.
fn copy(source: &mut impl io::Read, out: &mut impl io::Write, buffer: &mut [u8]) -> io::Result<u64> {
    let mut copied = 0;
    loop {
        let mut length = 0;
        while length < buffer.len() {
            match source.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if length == 0 {
            return Ok(copied);
        }
        out.write_all(&buffer[..length])?;
        copied += length as u64;
    }
}

/// The path without `./`; `None` when it is absolute or has `..` in it.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

/// Whether a link that stands `depth` directories below the component's own stays in it. `..` may only lead: behind
/// a name that is itself a link it would start from somewhere else.
fn stays_inside(link: &Path, depth: usize) -> bool {
    let mut parts = link.components().peekable();
    let mut up = 0;
    while parts.next_if_eq(&Component::ParentDir).is_some() {
        up += 1;
    }
    let named = parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    named && up <= depth && !link.as_os_str().is_empty()
}
