//! The agent that is brought to the hosts: this program.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio_util::bytes::Bytes;

/// The agent's binary. Read once per run; clones share the bytes.
#[derive(Clone)]
pub struct AgentBinary {
    bytes: Bytes,
    sha256: String,
}

impl AgentBinary {
    /// The program that runs now. Reads and hashes all of it: call it once and clone the result.
    pub fn current() -> io::Result<Self> {
        Self::read(Path::new("/proc/self/exe"))
    }

    /// The program in `path`.
    pub fn read(path: &Path) -> io::Result<Self> {
        std::fs::read(path).map(Self::new)
    }

    /// A program that is in memory already.
    pub fn new(bytes: Vec<u8>) -> Self {
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(&bytes) {
            let _ = write!(sha256, "{byte:02x}");
        }
        Self { bytes: bytes.into(), sha256 }
    }

    /// SHA-256 of the binary, 64 hex digits: its version on the hosts.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its bytes, shared.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl std::fmt::Debug for AgentBinary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentBinary({} bytes, {})", self.bytes.len(), self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_known_by_its_digest_and_shared() {
        let binary = AgentBinary::new(b"abc".to_vec());
        assert_eq!(binary.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(binary.clone().bytes().as_ptr(), binary.bytes().as_ptr());
    }

    #[test]
    fn the_current_program_can_be_read() {
        let current = AgentBinary::current().unwrap();
        assert!(current.bytes().starts_with(b"\x7fELF"));
        assert_eq!(current.sha256().len(), 64);
    }
}
