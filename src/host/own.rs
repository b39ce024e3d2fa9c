//! The agent's own binary: its digest tells the installer that both are the same version.

use std::env;
use std::fs::File;
use std::path::Path;

use super::blob::HashReader;
use super::protocol::Failure;

/// SHA-256 of the running binary: the name of the directory that the installer put it in, or computed.
pub(super) fn digest() -> Result<String, Failure> {
    let placed = env::current_exe().ok().and_then(|path| from_path(&path).map(str::to_owned));
    if let Some(sha256) = placed {
        return Ok(sha256);
    }
    let hashed = File::open("/proc/self/exe").and_then(|file| HashReader::new(file).digest());
    hashed.map_err(|error| Failure::new("hashing the agent's own binary", error))
}

fn from_path(path: &Path) -> Option<&str> {
    let directory = path.parent()?.file_name()?.to_str()?;
    (directory.len() == 64 && directory.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))).then_some(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_tells_the_digest() {
        let sha256 = "0123456789abcdef".repeat(4);
        let path = format!("/var/lib/kubewright/bin/{sha256}/kubewright");
        assert_eq!(from_path(Path::new(&path)), Some(sha256.as_str()));
        assert_eq!(from_path(Path::new("/usr/bin/kubewright")), None);
    }
}
