//! The full log of a run: one JSON object per event, with the time, in a file of its own.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Event;

/// Logs kept per cluster.
const KEPT: usize = 50;

/// An open log. Failing to write it never fails the run.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    file: Option<File>,
}

impl RunLog {
    /// Opens `DIRECTORY/<time>-<verb>-<pid>.log` and drops the oldest logs beyond the last fifty.
    pub fn create(directory: &Path, verb: &str) -> Self {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let path = directory.join(format!("{now}-{verb}-{}.log", std::process::id()));
        let file = made.and_then(|()| OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path)).ok();
        prune(directory);
        Self { path, file }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an event.
    pub fn record(&mut self, event: &Event) {
        let Some(file) = &mut self.file else { return };
        let Ok(serde_json::Value::Object(mut line)) = serde_json::to_value(event) else { return };
        line.insert("time".into(), jiff::Timestamp::now().to_string().into());
        // A full disk on the bastion is no reason to stop half-way through a cluster.
        let _ = writeln!(file, "{}", serde_json::Value::Object(line));
    }
}

fn prune(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut logs: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    logs.sort();
    for old in logs.iter().rev().skip(KEPT) {
        let _ = std::fs::remove_file(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fifty_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        for n in 0..60 {
            std::fs::write(directory.path().join(format!("19700101T0000{n:02}Z-install-1.log")), "").unwrap();
        }
        let mut log = RunLog::create(directory.path(), "plan");
        log.record(&Event::Note { text: "hello".into() });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), KEPT);
        assert!(std::fs::read_to_string(log.path()).unwrap().contains("\"text\":\"hello\""));
    }
}
