//! The logs of a cluster that lie in its directory: their names, in order, and which of them are kept. It reads no log
//! but hands them to [`Run::read`](super::Run::read).

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::run::Run;

/// Logs kept of runs that change something, and as many of those that only look.
pub(super) const KEPT: usize = 50;

/// Verbs that change nothing. A cron job that looks every minute must not hide what was done.
const LOOKING: &[&str] = &[
    "check-network",
    "etcd-members",
    "etcd-snapshot-status",
    "kubeconfig",
    "plan",
    "preflight",
    "report",
    "status",
    "support",
];

/// A log, by what its name tells: `20261129T043843Z-etcd-defrag-42.log`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeptLog {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// `etcd-defrag`; empty where the name is not one of ours.
    pub(crate) verb: String,
    /// The process that writes it, or wrote it.
    pub(crate) process: Option<u32>,
}

impl KeptLog {
    fn at(path: PathBuf) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let rest = name.split_once('-').map_or("", |(_, rest)| rest);
        let (verb, process) = rest.rsplit_once('-').map_or((rest, None), |(verb, id)| (verb, id.parse().ok()));
        Self { verb: verb.to_owned(), process, path }
    }

    /// The logs in `directory`, the latest first. One that does not exist has none.
    ///
    /// # Errors
    ///
    /// The directory that could not be listed, and why.
    pub(crate) fn all(directory: &Path) -> Result<Vec<Self>, String> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("{}: {error}", directory.display())),
        };
        let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
        let mut logs: Vec<Self> = entries.flatten().map(|entry| entry.path()).filter(is_log).map(Self::at).collect();
        logs.sort();
        logs.reverse();
        Ok(logs)
    }

    /// Whether its run could not change anything.
    pub(crate) fn only_looked(&self) -> bool {
        LOOKING.contains(&self.verb.as_str())
    }

    /// File name, for messages.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it tells.
    ///
    /// # Errors
    ///
    /// Why it is no log of a run.
    pub(crate) fn read(&self) -> Result<Run, String> {
        if !self.path.is_file() {
            return Err("it is no regular file".to_owned());
        }
        let file = File::open(&self.path).map_err(|error| error.to_string())?;
        // A line that cannot be read ends the log, as a run that was killed does.
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
        Run::read(lines.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }
}

/// Those of `logs`, the latest first, that are dropped.
pub(super) fn beyond(logs: Vec<KeptLog>) -> impl Iterator<Item = KeptLog> {
    let (looked, changed): (Vec<_>, Vec<_>) = logs.into_iter().partition(KeptLog::only_looked);
    looked.into_iter().skip(KEPT).chain(changed.into_iter().skip(KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logs_tell_the_verb_and_the_process() {
        let told = |name: &str| {
            let log = KeptLog::at(PathBuf::from(name));
            (log.verb, log.process)
        };
        assert_eq!(told("/runs/20261129T043843Z-etcd-defrag-42.log"), ("etcd-defrag".to_owned(), Some(42)));
        assert_eq!(told("20261129T043843Z-install-7.log"), ("install".to_owned(), Some(7)));
        assert_eq!(told("rubbish.log"), (String::new(), None));
    }

    #[test]
    fn runs_that_look_do_not_push_out_those_that_change() {
        let log = |time: usize, verb: &str| KeptLog::at(PathBuf::from(format!("{time:05}-{verb}-1.log")));
        let mut logs: Vec<KeptLog> = (0..200).map(|time| log(time, "status")).collect();
        logs.extend((200..260).map(|time| log(time, "install")));
        logs.reverse();
        let dropped: Vec<KeptLog> = beyond(logs).collect();
        let of = |verb: &str| dropped.iter().filter(|log| log.verb == verb).count();
        assert_eq!((of("status"), of("install")), (150, 10));
        assert!(dropped.contains(&log(209, "install")) && !dropped.contains(&log(210, "install")));
    }
}
