//! The full log of a run: one JSON object per event, with the time, in a file of its own.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

mod kept;
mod run;

pub(crate) use kept::KeptLog;
pub use run::{End, Run, Stage};

use super::{Event, print_error};

/// The event at the end of every log, which is in no other output.
const END: &str = "log-ended";

/// An open log. Failing to write it never fails the run: a full disk on the bastion is no reason to stop half-way through
/// a cluster. It is told once.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    file: Option<File>,
}

impl RunLog {
    /// Opens `DIRECTORY/<time>-<verb>-<pid>.log` and drops the oldest logs beyond the last fifty of those that change
    /// something, and of those that only look.
    pub fn create(directory: &Path, verb: &str) -> Self {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let path = directory.join(format!("{now}-{verb}-{}.log", std::process::id()));
        let file = made.and_then(|()| OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path));
        prune(directory);
        let file = file.inspect_err(|error| warn(&format!("this run has no log: {}: {error}", path.display()))).ok();
        Self { path, file }
    }

    /// Where it is, unless it could not be made.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }

    /// Appends an event.
    pub fn record(&mut self, event: &Event) {
        let Ok(serde_json::Value::Object(line)) = serde_json::to_value(event) else { return };
        self.append(line);
    }

    /// Notes that nothing more comes: a log without this line is one of a run that was killed, or is at work.
    pub fn end(mut self) {
        self.append([("event".to_owned(), END.into())].into_iter().collect());
    }

    fn append(&mut self, mut line: serde_json::Map<String, serde_json::Value>) {
        let Some(file) = &mut self.file else { return };
        line.insert("time".into(), jiff::Timestamp::now().to_string().into());
        if let Err(error) = writeln!(file, "{}", serde_json::Value::Object(line)) {
            warn(&format!("the log of this run ends here: {}: {error}", self.path.display()));
            self.file = None;
        }
    }
}

fn warn(text: &str) {
    print_error(&format!("warning: {text}"));
}

fn prune(directory: &Path) {
    for old in KeptLog::all(directory).into_iter().flat_map(kept::beyond) {
        let _ = std::fs::remove_file(old.path);
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
        let mut log = RunLog::create(directory.path(), "upgrade");
        log.record(&Event::Note { text: "hello".into() });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), kept::KEPT);
        let path = log.path().unwrap().to_owned();
        log.end();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("\"text\":\"hello\"") && text.lines().last().unwrap().contains("log-ended"), "{text}");
    }

    #[test]
    fn without_a_place_there_is_no_log_and_no_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut log = RunLog::create(&file.join("below"), "plan");
        assert_eq!(log.path(), None);
        log.record(&Event::Note { text: "hello".into() });
    }
}
