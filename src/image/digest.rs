//! SHA-256 in the forms that this module needs. By aws-lc-rs, which is assembler: fast in debug builds, too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::Blob;

/// Hashes and counts what is written through it.
pub(crate) struct Hashing<W> {
    inner: W,
    hash: Context,
    size: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hash: Context::new(&SHA256), size: 0 }
    }

    /// The writer underneath, and what went into it.
    pub(crate) fn finish(self) -> (W, Blob) {
        (self.inner, Blob { sha256: hex(self.hash.finish().as_ref()), size: self.size })
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Digest and size of all that `reader` has.
pub(crate) fn of_reader(mut reader: impl Read) -> io::Result<Blob> {
    let mut hashing = Hashing::new(io::sink());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hashing.finish().1),
            Ok(count) => hashing.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Digest and size of a file.
pub(super) fn of_file(path: &Path) -> io::Result<Blob> {
    of_reader(File::open(path)?)
}

/// SHA-256 of `bytes`, as 64 hex digits.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Whether `text` is a SHA-256 as it is written everywhere here: 64 lower-case hex digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha256sum() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc"), abc);
        assert_eq!(of_reader(&b"abc"[..]).unwrap(), Blob { sha256: abc.into(), size: 3 });
        assert!(is_sha256(abc));
        assert!(!is_sha256(&abc.to_uppercase()));
        assert!(!is_sha256(&abc[1..]));
    }
}
