//! Tar archives that depend on nothing but paths, contents and the executable bit.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

/// Writes entries with time 0, owner 0:0 and mode 0755 or 0644. The caller brings them in order.
pub(super) struct Tarball<W: Write> {
    builder: tar::Builder<W>,
}

impl<W: Write> Tarball<W> {
    pub(super) fn new(out: W) -> Self {
        let mut builder = tar::Builder::new(out);
        builder.sparse(false);
        Self { builder }
    }

    pub(super) fn directory(&mut self, path: &str) -> io::Result<()> {
        let mut header = header(EntryType::Directory, 0o755, 0);
        self.builder.append_data(&mut header, format!("{path}/"), io::empty())
    }

    pub(super) fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.builder.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)
    }

    /// A file of exactly `size` bytes.
    pub(super) fn file(&mut self, path: &str, executable: bool, size: u64, content: impl Read) -> io::Result<()> {
        let mut header = header(EntryType::Regular, if executable { 0o755 } else { 0o644 }, size);
        let mut counting = Counting { inner: content.take(size + 1), count: 0 };
        self.builder.append_data(&mut header, path, &mut counting)?;
        if counting.count == size {
            Ok(())
        } else {
            Err(io::Error::other(format!("{path} changed while it was packed: it does not have {size} bytes any more")))
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.builder.into_inner()
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

struct Counting<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_no_trace_of_this_machine() {
        let mut tarball = Tarball::new(Vec::new());
        let long = format!("opt/{}/file", "x".repeat(120));
        tarball.directory("opt").unwrap();
        tarball.file(&long, true, 3, &b"abc"[..]).unwrap();
        tarball.link("opt/link", &long).unwrap();
        let bytes = tarball.finish().unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let (header, path) = (entry.header(), entry.path().unwrap().display().to_string());
                assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
                (path, header.entry_type(), header.mode().unwrap(), header.size().unwrap())
            })
            .collect();
        assert_eq!(
            entries,
            [
                ("opt/".to_owned(), EntryType::Directory, 0o755, 0),
                (long, EntryType::Regular, 0o755, 3),
                ("opt/link".to_owned(), EntryType::Symlink, 0o777, 0),
            ]
        );
    }

    #[test]
    fn a_file_that_changes_its_size_is_an_error() {
        for content in [&b"ab"[..], b"abcd"] {
            let error = Tarball::new(Vec::new()).file("a", false, 3, content).unwrap_err();
            assert!(error.to_string().contains("changed while it was packed"), "{error}");
        }
    }
}
