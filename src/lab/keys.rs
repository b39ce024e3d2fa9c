//! SSH keys of a lab: one to log in with, one per host by which it is known, and a password for trying sudo.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{LabError, command, files};

/// The directory that holds them.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    directory: PathBuf,
}

impl Keys {
    pub(super) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Makes every key that is not there.
    pub(super) fn ensure(&self, hosts: &[String]) -> Result<(), LabError> {
        files::make_directory(&self.directory)?;
        generate(&self.login(), "kubewright-lab")?;
        for host in hosts {
            generate(&self.host(host), host)?;
        }
        let password = self.password();
        if !password.exists() {
            files::write(&password, format!("{}\n", random_hex()?), 0o600)?;
        }
        Ok(())
    }

    /// The private key that logs in.
    pub(super) fn login(&self) -> PathBuf {
        self.directory.join("id_ed25519")
    }

    /// The private key of a host.
    pub(super) fn host(&self, name: &str) -> PathBuf {
        self.directory.join(format!("host-{name}"))
    }

    /// The file with the password of the user `opspw`.
    pub(super) fn password(&self) -> PathBuf {
        self.directory.join("opspw.password")
    }
}

/// The public half of a key, as `ssh-ed25519 AAAA…`, without the comment.
pub(super) fn public_key(private: &Path) -> Result<String, LabError> {
    let path = private.with_added_extension("pub");
    let text = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// The private half appears last, so where it is, all is.
fn generate(path: &Path, comment: &str) -> Result<(), LabError> {
    if path.exists() {
        return Ok(());
    }
    let beside = path.with_added_extension("new");
    let public = beside.with_added_extension("pub");
    // ssh-keygen would ask before it replaces what an interrupted run has left.
    for old in [&beside, &public] {
        if old.exists() {
            fs::remove_file(old).map_err(LabError::file("remove", old))?;
        }
    }
    command::run(
        command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(&beside),
        "",
    )?;
    let target = path.with_added_extension("pub");
    fs::rename(&public, &target).map_err(LabError::file("move into place", &target))?;
    fs::rename(&beside, path).map_err(LabError::file("move into place", path))
}

/// 128 random bits.
pub(super) fn random_hex() -> Result<String, LabError> {
    let mut bytes = [0_u8; 16];
    let path = "/dev/urandom";
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).map_err(LabError::file("read", path))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_only_their_owner_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::at(directory.path().join("keys"));
        keys.ensure(&["m1".into()]).unwrap();
        let secrets = [keys.login(), keys.host("m1"), keys.password()];
        let before: Vec<String> = secrets.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        for path in &secrets {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
        }
        keys.ensure(&["m1".into(), "n1".into()]).unwrap();
        let after: Vec<String> = secrets.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(before, after);
        let public = public_key(&keys.host("n1")).unwrap();
        assert!(public.starts_with("ssh-ed25519 AAAA") && public.split(' ').count() == 2, "{public}");
        assert_ne!(public, public_key(&keys.host("m1")).unwrap());
    }
}
