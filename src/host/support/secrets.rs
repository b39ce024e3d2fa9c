//! What a host itself knows as secrets: struck out wherever it turns up.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::redact;

/// Directories with all that is below them.
const PLACES: &[&str] =
    &["/etc/kubernetes", "/etc/etcd", "/etc/containerd", "/etc/keepalived", "/etc/kubewright", "/var/lib/kubelet/pki"];
/// Ends of the names of files that may hold secrets: keys, kubeconfigs, settings.
const ENDS: &[&str] = &[".key", ".pem", ".conf", ".yaml", ".json", ".toml", ".env"];
/// What files with credentials of object stores are called.
const CREDENTIALS: &str = "credentials";
/// Larger files are no keys.
const LARGEST: u64 = 256 << 10;

/// Every value.
pub(super) fn values(machine: &Machine) -> Result<Vec<String>, Failure> {
    let mut values = Vec::new();
    for directory in PLACES {
        walk(machine, directory, &mut values)?;
    }
    Ok(values)
}

/// A file that cannot be read is an error: what is in it could not be struck out.
fn walk(machine: &Machine, directory: &str, values: &mut Vec<String>) -> Result<(), Failure> {
    for name in machine.names(directory)? {
        let path = format!("{directory}/{name}");
        let Ok(meta) = machine.root.at(&path).symlink_metadata() else { continue };
        if meta.is_dir() {
            walk(machine, &path, values)?;
        } else if holds_secrets(&name) && meta.len() <= LARGEST {
            let content = machine.bytes(&path)?.unwrap_or_default();
            values.extend(redact::values_in(&String::from_utf8_lossy(&content)));
        }
    }
    Ok(())
}

fn holds_secrets(name: &str) -> bool {
    name.starts_with(CREDENTIALS) || ENDS.iter().any(|end| name.ends_with(end))
}
