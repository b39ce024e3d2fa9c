//! What a base image is made of. Equal recipes make interchangeable images, so their hash names the file.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::LabError;

/// The least that gives a host with systemd, SSH and a network card, and what makes file systems; clusters bring
/// everything else.
pub(super) const PACKAGES: &str = "udev,kmod,iproute2,openssh-server,dbus,systemd-sysv,sudo,e2fsprogs,xfsprogs,lvm2,\
                                   thin-provisioning-tools";
/// Size of a host's disk. Only what is written takes space.
pub(super) const DISK: &str = "16G";
/// What mmdebstrap does with a file of the guest: its name and its text.
pub(super) const SCRIPTS: [(&str, &str); 2] =
    [("init.sh", include_str!("guest/init.sh")), ("customize.sh", include_str!("guest/customize.sh"))];
/// Where the guest's first process is, once installed by customize.sh.
pub(super) const INIT: &str = "/usr/lib/lab-host/init";

/// Everything that goes into a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// Debian release.
    pub(super) release: String,
    /// Kernels whose modules are in it.
    kernels: Vec<String>,
}

impl Recipe {
    /// The recipe for `release` with the `modules` of a kernel.
    pub(super) fn new(release: &str, modules: &Path) -> Result<Self, LabError> {
        let entries = fs::read_dir(modules).map_err(LabError::file("list", modules))?;
        let mut kernels: Vec<String> =
            entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        kernels.sort();
        Ok(Self { release: release.to_owned(), kernels })
    }

    /// The name of the image: the release, and what tells it from others of that release.
    pub(super) fn file_name(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            // With its length, so that no two recipes run together into the same bytes.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        [PACKAGES, DISK, &self.release].into_iter().for_each(&mut add);
        self.kernels.iter().for_each(|kernel| add(kernel));
        SCRIPTS.iter().for_each(|(_, text)| add(text));
        let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("base-{}-{digest}.img", self.release)
    }

    /// Writes the scripts to `directory`, where mmdebstrap finds them.
    pub(super) fn write_scripts(&self, directory: &Path) -> Result<(), LabError> {
        SCRIPTS.iter().try_for_each(|(name, text)| super::files::write(&directory.join(name), text, 0o755))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_recipe_has_another_name() {
        let recipe = |release: &str, kernels: &[&str]| Recipe {
            release: release.into(),
            kernels: kernels.iter().map(|kernel| (*kernel).to_owned()).collect(),
        };
        let name = recipe("bookworm", &["6.1.1"]).file_name();
        assert!(name.starts_with("base-bookworm-") && name.ends_with(".img"), "{name}");
        assert_eq!(name, recipe("bookworm", &["6.1.1"]).file_name());
        for other in [recipe("trixie", &["6.1.1"]), recipe("bookworm", &["6.1.2"]), recipe("bookworm", &["6", ".1.1"])]
        {
            assert_ne!(name, other.file_name());
        }
    }

    #[test]
    fn scripts_are_posix_shell() {
        for (name, text) in SCRIPTS {
            assert!(text.starts_with("#!/bin/sh\n"), "{name}");
            super::super::command::run(super::super::command::new("sh").arg("-n"), text).unwrap();
        }
        assert!(SCRIPTS[1].1.contains(&format!("$root{INIT}")), "customize.sh installs {INIT}");
    }
}
