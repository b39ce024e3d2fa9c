//! What is mounted, with the numbers of its devices: names in /proc/mounts may be links.

use super::super::machine::Machine;
use super::super::proc::unescape;
use super::super::protocol::Failure;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Mounted {
    /// `major:minor`.
    pub(in crate::host) number: String,
    /// Mount point.
    pub(in crate::host) path: String,
    /// Where it comes from, as it was named.
    pub(in crate::host) source: String,
}

/// Every mount, in the order in which they were made.
pub(super) fn mounts(machine: &Machine) -> Result<Vec<Mounted>, Failure> {
    Ok(parse(&machine.text("/proc/self/mountinfo")?.unwrap_or_default()))
}

/// What is mounted at `path`: the last one hides the others.
pub(in crate::host) fn mounted_at(machine: &Machine, path: &str) -> Result<Option<Mounted>, Failure> {
    Ok(mounts(machine)?.into_iter().rfind(|mount| mount.path == path))
}

/// `36 35 98:0 /root /mount/point options optional… - type source superoptions`.
fn parse(text: &str) -> Vec<Mounted> {
    let line = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let fields: Vec<&str> = before.split(' ').collect();
        let (number, path, source) = (fields.get(2)?, fields.get(4)?, after.split(' ').nth(1)?);
        Some(Mounted { number: (*number).to_owned(), path: unescape(path), source: unescape(source) })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_may_be_many_or_none() {
        let text = "22 1 98:0 / / rw,noatime shared:1 master:2 - ext4 /dev/root rw\n\
            40 22 254:16 / /var/lib/with\\040space rw - xfs /dev/vdb rw\nnonsense\n";
        let lines: Vec<String> =
            parse(text).into_iter().map(|mount| format!("{} {} {}", mount.number, mount.path, mount.source)).collect();
        assert_eq!(lines, ["98:0 / /dev/root", "254:16 /var/lib/with space /dev/vdb"]);
    }
}
