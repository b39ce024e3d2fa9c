//! What a host itself knows as secrets: struck out wherever it turns up.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::redact;

/// Directories with all that is below them, and what the files in them are called that hold secrets.
const PLACES: &[(&str, &[&str])] = &[
    ("/etc/kubernetes", &[".key", ".conf", ".yaml"]),
    ("/etc/etcd", &[".key", ".conf", ".env"]),
    ("/etc/keepalived", &[".conf"]),
    ("/etc/kubewright", &["credentials-0", "credentials-1", "credentials-2", "credentials-3", ".json", ".key"]),
    ("/var/lib/kubelet/pki", &[".key", ".pem"]),
];
/// Larger files are no keys.
const LARGEST: u64 = 256 << 10;

/// Every value.
pub(super) fn values(machine: &Machine) -> Result<Vec<String>, Failure> {
    let mut values = Vec::new();
    for (directory, ends) in PLACES {
        walk(machine, directory, ends, &mut values)?;
    }
    Ok(values)
}

/// A file that cannot be read is an error: what is in it could not be struck out.
fn walk(machine: &Machine, directory: &str, ends: &[&str], values: &mut Vec<String>) -> Result<(), Failure> {
    for name in machine.names(directory)? {
        let path = format!("{directory}/{name}");
        let Ok(meta) = machine.root.at(&path).symlink_metadata() else { continue };
        if meta.is_dir() {
            walk(machine, &path, ends, values)?;
        } else if ends.iter().any(|end| name.ends_with(end)) && meta.len() <= LARGEST {
            let content = machine.bytes(&path)?.unwrap_or_default();
            values.extend(redact::values_in(&String::from_utf8_lossy(&content)));
        }
    }
    Ok(())
}
