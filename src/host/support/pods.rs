//! What containers of the cluster itself have said, read without anybody's help: the API server is what may be down. Pods
//! outside of kube-system are not ours to show.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::machine::{Machine, found};
use super::super::protocol::Failure;
use super::tail;

const PODS: &str = "/var/log/pods";
const NAMESPACE: &str = "kube-system_";
/// Logs of one container: the one that runs, and the one that crashed before it.
const KEPT: usize = 2;

/// Logs of containers that were written in the last `seconds`: `POD/CONTAINER/NUMBER.log`, and where they are.
pub(super) fn logs(machine: &Machine, seconds: u64) -> Result<Vec<(String, PathBuf)>, Failure> {
    let since = SystemTime::now().checked_sub(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut logs = Vec::new();
    for pod in machine.names(PODS)?.into_iter().filter(|name| name.starts_with(NAMESPACE)) {
        for container in machine.names(&format!("{PODS}/{pod}"))? {
            let directory = format!("{PODS}/{pod}/{container}");
            let newest = newest(&machine.root.at(&directory), since);
            let newest = newest.map_err(|error| Failure::new(format!("listing {directory}"), error))?;
            let own = pod.trim_start_matches(NAMESPACE);
            logs.extend(newest.into_iter().map(|(name, path)| (format!("{own}/{container}/{name}"), path)));
        }
    }
    Ok(logs)
}

fn newest(directory: &Path, since: SystemTime) -> io::Result<Vec<(String, PathBuf)>> {
    let mut logs = Vec::new();
    for entry in found(fs::read_dir(directory))?.into_iter().flatten() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The runtime's own link is followed; what is no file, or was rotated away, is not.
        let Some(meta) = found(fs::metadata(entry.path()))?.filter(fs::Metadata::is_file) else { continue };
        if name.ends_with(".log") && meta.modified()? >= since {
            logs.push((meta.modified()?, name, entry.path()));
        }
    }
    logs.sort_by(|one, other| other.cmp(one));
    Ok(logs.into_iter().take(KEPT).map(|(_, name, path)| (name, path)).collect())
}

/// The end of a log, each message in one line.
pub(super) fn log(path: &Path, bytes: u64) -> Result<String, Failure> {
    let text = tail::of_file(path, bytes);
    let text = text.map_err(|error| Failure::new(format!("reading the log {}", path.display()), error))?;
    Ok(joined(&text))
}

/// The runtime breaks long messages: `TIME STREAM P MESSAGE` goes on in the next line of that stream. A secret would be
/// broken, too.
fn joined(log: &str) -> String {
    let mut out = String::with_capacity(log.len());
    let mut goes_on = false;
    for line in log.lines() {
        let mut fields = line.splitn(4, ' ');
        let (tag, message) = match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(_), Some("stdout" | "stderr"), Some(tag), message) => (tag, message.unwrap_or_default()),
            _ => ("F", line),
        };
        out.push_str(if goes_on { message } else { line });
        goes_on = tag.split(':').any(|tag| tag == "P");
        if !goes_on {
            out.push('\n');
        }
    }
    if goes_on {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_whole_again() {
        let log = "T stderr P one \nT stderr P two\nT stderr F  three\nT stdout F x\nT stdout P end";
        assert_eq!(joined(log), "T stderr P one two three\nT stdout F x\nT stdout P end\n");
    }
}
