//! Files of this machine that an inventory names: whether each is one, and can be what it is named for. Only looked at when
//! somebody asks for that; what is in them is told to nobody.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::problems::Fault;
use super::tree::Path;

/// A file that the inventory names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFile {
    /// Where it is.
    pub(super) file: PathBuf,
    /// The field that names it.
    pub(super) field: Path,
    /// What it is for.
    pub(super) holds: Holds,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A password, on one line.
    Password,
    /// A password of BGP, on one line; the kernel signs with it (TCP MD5).
    RouterPassword,
    /// Secrets in a form of their own.
    Secrets,
    /// What everybody may know.
    Public,
}

/// What there is to say about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can never be what it is named for.
    Wrong(Fault),
    /// Somebody should know.
    Note(Fault),
}

/// More than any password; a larger file is not read to its end.
const LONGEST: u64 = 4096;

/// TCP_MD5SIG_MAXKEYLEN of Linux.
const LONGEST_OF_A_ROUTER: usize = 80;

impl NamedFile {
    /// What to call it. Where a password is to be named, the password itself may have been written.
    fn name(&self) -> String {
        match self.holds {
            Holds::Password | Holds::RouterPassword => "the file that is named here".to_owned(),
            Holds::Secrets | Holds::Public => self.file.display().to_string(),
        }
    }

    /// Looks at the file.
    pub(super) fn judge(&self) -> Option<Verdict> {
        let name = self.name();
        let metadata = match std::fs::metadata(&self.file) {
            Ok(metadata) => metadata,
            // Other machines may have it.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Some(Verdict::Note(Fault::new(
                    format!("{name} is not on this machine"),
                    "an install from here needs it",
                )));
            }
            Err(error) => return Some(self.unreadable(&error)),
        };
        if metadata.is_dir() {
            let hint = "name the file in it";
            return Some(Verdict::Wrong(Fault::new(format!("{name} is a directory, and not a file"), hint)));
        }
        // A pipe can be read once, and not by us.
        if !metadata.is_file() {
            return None;
        }
        match self.fault_within(&metadata) {
            Ok(Some(fault)) => Some(Verdict::Wrong(fault)),
            Ok(None) => self.exposed(&metadata).map(Verdict::Note),
            Err(error) => Some(self.unreadable(&error)),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Verdict {
        let message = format!("{} cannot be read here: {error}", self.name());
        Verdict::Note(Fault::new(message, "an install from here needs it"))
    }

    fn fault_within(&self, metadata: &Metadata) -> io::Result<Option<Fault>> {
        let name = self.name();
        if metadata.len() == 0 {
            return Ok(Some(Fault::new(format!("{name} is empty"), "write into it what it is named for")));
        }
        if !matches!(self.holds, Holds::Password | Holds::RouterPassword) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        File::open(&self.file)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
        let hint = "write the password into it on one line, and nothing else";
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let too_long_to_sign = self.holds == Holds::RouterPassword && line.len() > LONGEST_OF_A_ROUTER;
        let message = if line.is_empty() {
            format!("{name} has an empty line where the password should be")
        } else if bytes.len() as u64 > LONGEST {
            format!("{name} is too long for a password")
        } else if line.contains(&b'\n') {
            format!("{name} has more than one line")
        } else if line.ends_with(b"\r") {
            format!("{name} has lines that end as those of Windows do: the password would have one more character")
        } else if line.contains(&0) {
            format!("{name} has a NUL in it, which ends a password")
        } else if too_long_to_sign {
            format!("{name} has more than the {LONGEST_OF_A_ROUTER} bytes that TCP takes for signing")
        } else {
            return Ok(None);
        };
        Ok(Some(Fault::new(message, hint)))
    }

    fn exposed(&self, metadata: &Metadata) -> Option<Fault> {
        let (mode, name) = (metadata.permissions().mode() & 0o777, self.name());
        (self.holds != Holds::Public && mode & 0o077 != 0)
            .then(|| Fault::new(format!("{name} is open to other users (mode {mode:03o})"), "run `chmod 600` on it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a file with this content and mode.
    fn told(content: &str, mode: u32, holds: Holds) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        shown(NamedFile { file, field: Path::of("spec"), holds }, directory.path())
    }

    fn shown(file: NamedFile, directory: &std::path::Path) -> String {
        let text = match file.judge() {
            None => return String::new(),
            Some(Verdict::Wrong(fault)) => format!("wrong: {}", fault.message),
            Some(Verdict::Note(fault)) => format!("note: {}", fault.message),
        };
        assert!(!text.contains("hunter"), "{text}");
        text.replace(&format!("{}/", directory.display()), "")
    }

    #[test]
    fn files_that_cannot_be_what_they_are_named_for_are_told() {
        use Holds::{Password, Public, Secrets};
        for (content, mode, holds, expected) in [
            ("hunter2", 0o600, Password, ""),
            ("hunter2\n", 0o400, Password, ""),
            ("hunter2\n", 0o640, Password, "note: the file that is named here is open to other users (mode 640)"),
            ("", 0o600, Password, "wrong: the file that is named here is empty"),
            (
                "\n",
                0o600,
                Password,
                "wrong: the file that is named here has an empty line where the password should be",
            ),
            ("hunter2\nhunter3\n", 0o600, Password, "wrong: the file that is named here has more than one line"),
            (
                "hunter2\r\n",
                0o600,
                Password,
                "wrong: the file that is named here has lines that end as those of Windows do: the password would have one more character",
            ),
            ("a\nb\n", 0o600, Secrets, ""),
            ("a\nb\n", 0o604, Secrets, "note: secret is open to other users (mode 604)"),
            ("", 0o600, Secrets, "wrong: secret is empty"),
            ("a\nb\n", 0o644, Public, ""),
            ("", 0o644, Public, "wrong: secret is empty"),
        ] {
            assert_eq!(told(content, mode, holds), expected, "{content:?} {mode:o} {holds:?}");
        }
        assert_eq!(
            told(&"x".repeat(5000), 0o600, Password),
            "wrong: the file that is named here is too long for a password"
        );
        let router = |length: usize| told(&"x".repeat(length), 0o600, Holds::RouterPassword);
        assert_eq!(router(80), "");
        assert!(router(81).ends_with("has more than the 80 bytes that TCP takes for signing"));
        assert_eq!(told(&"x".repeat(81), 0o600, Password), "");
        for holds in [Password, Holds::RouterPassword] {
            assert!(told("a\0b", 0o600, holds).ends_with("has a NUL in it, which ends a password"));
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |file: PathBuf| NamedFile { file, field: Path::of("spec"), holds: Password };
        assert_eq!(
            shown(at(directory.path().join("none")), directory.path()),
            "note: the file that is named here is not on this machine"
        );
        assert!(shown(at(directory.path().to_owned()), directory.path()).ends_with("is a directory, and not a file"));
    }
}
