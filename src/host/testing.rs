//! A host for tests: a directory as its root, and a script in place of its running system. The script is strict:
//! what it does not expect, or what it expects and does not come, fails the test.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::command::{Command, CommandError, Output};
use super::containerd;
use super::machine::Machine;
use super::protocol::{Failure, Reply, ToAgent};
use super::root::Root;
use super::support;
use super::system::System;

/// A scripted host.
pub(crate) struct Scripted {
    pub(super) machine: Machine,
    script: Arc<Script>,
    directory: tempfile::TempDir,
}

/// At the end of a command line that may go on.
const ANYTHING: &str = "…";

type Effect = Box<dyn FnOnce(&Path) + Send>;

struct Step {
    argv: String,
    answer: Result<String, String>,
    effect: Option<Effect>,
}

struct Script {
    root: PathBuf,
    steps: Mutex<VecDeque<Step>>,
    clock: Mutex<Duration>,
    fed: Mutex<Vec<Vec<u8>>>,
}

impl Scripted {
    /// An empty host whose root:root is whoever runs the test.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = Arc::new(Script {
            root: directory.path().to_owned(),
            steps: Mutex::default(),
            clock: Mutex::default(),
            fed: Mutex::default(),
        });
        let machine = Machine::new(Root::new(directory.path()), Arc::clone(&script) as Arc<dyn System>);
        let scripted = Self { machine, script, directory };
        let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
        scripted.put("/etc/passwd", &format!("root:x:{user}:{group}::/root:/bin/sh\n"));
        scripted.put("/etc/group", &format!("root:x:{group}:\n"));
        scripted
    }

    /// The command line that comes next, and what it prints.
    pub(super) fn expect(&self, argv: &str, stdout: &str) {
        self.step(argv, Ok(stdout.to_owned()), None);
    }

    /// A command line that comes next and begins so, and what it prints.
    pub(crate) fn expect_beginning(&self, argv: &str, stdout: &str) {
        self.step(&format!("{argv}{ANYTHING}"), Ok(stdout.to_owned()), None);
    }

    /// The same, and what it does to the host.
    pub(super) fn expect_effect(&self, argv: &str, stdout: &str, effect: impl FnOnce(&Path) + Send + 'static) {
        self.step(argv, Ok(stdout.to_owned()), Some(Box::new(effect)));
    }

    /// The command line that comes next, and the standard error with which it fails.
    pub(super) fn expect_failure(&self, argv: &str, stderr: &str) {
        self.step(argv, Err(stderr.to_owned()), None);
    }

    /// The command line during which the run is killed, and what it has done to the host by then.
    pub(super) fn expect_killed(&self, argv: &str, effect: impl FnOnce(&Path) + Send + 'static) {
        self.step(argv, Err("killed".to_owned()), Some(Box::new(effect)));
    }

    fn step(&self, argv: &str, answer: Result<String, String>, effect: Option<Effect>) {
        self.script.steps.lock().unwrap().push_back(Step { argv: argv.to_owned(), answer, effect });
    }

    /// What commands were fed, in order.
    pub(super) fn fed(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.script.fed.lock().unwrap())
    }

    /// Every expected command has come.
    #[track_caller]
    pub(super) fn done(&self) {
        let left: Vec<String> = self.script.steps.lock().unwrap().iter().map(|step| step.argv.clone()).collect();
        assert!(left.is_empty(), "never run: {left:#?}");
    }

    /// What the host collects for a helper.
    pub(crate) fn collect(&self, request: ToAgent) -> Result<Reply, Failure> {
        match request {
            ToAgent::Sources { seconds } => {
                support::names(&self.machine, seconds).map(|names| Reply::Sources { names })
            }
            ToAgent::Collect(wanted) => support::collect(&self.machine, &wanted).map(|text| Reply::Collected { text }),
            other => panic!("{other:?}"),
        }
    }

    /// Where `path` of the host is.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.machine.root.at(path)
    }

    /// Puts a file there, with its parents.
    pub(crate) fn put(&self, path: &str, content: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The content of a file.
    pub(crate) fn get(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    /// The directory that is its root.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Script {
    fn answer(&self, command: &Command) -> Result<Output, CommandError> {
        let argv = command.argv();
        let step = self.steps.lock().unwrap().pop_front();
        let Some(step) = step else { panic!("not expected: {argv}") };
        match step.argv.strip_suffix(ANYTHING) {
            Some(beginning) => assert!(argv.starts_with(beginning), "{beginning} was expected, not {argv}"),
            None => assert_eq!(argv, step.argv, "another command was expected"),
        }
        if let Some(effect) = step.effect {
            effect(&self.root);
        }
        match step.answer {
            Ok(stdout) => Ok(Output { stdout: stdout.into_bytes(), stderr: String::new() }),
            Err(stderr) => Err(CommandError::Failed { argv, status: ExitStatus::from_raw(1 << 8), stderr }),
        }
    }
}

impl System for Script {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        self.answer(command)
    }

    fn feed(&self, command: &Command, source: &mut dyn Read) -> Result<Output, CommandError> {
        let mut input = Vec::new();
        let argv = command.argv();
        source.read_to_end(&mut input).map_err(|source| CommandError::Input { argv, source })?;
        self.fed.lock().unwrap().push(input);
        self.answer(command)
    }

    /// `containerd images` prints a reference and its labels in each line.
    fn images(&self, _: &Path) -> io::Result<containerd::Images> {
        let listed = self.answer(&Command::new("containerd").arg("images")).map_err(io::Error::other)?.text();
        let label = |label: &str| label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let row = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            Some((words.next()?, words.filter_map(|word| label(&word)).collect()))
        };
        Ok(listed.lines().filter_map(row).collect())
    }

    fn label_image(&self, _: &Path, reference: &str, labels: &BTreeMap<String, String>) -> io::Result<()> {
        let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
        let command = Command::new("containerd").args(["label", reference]).args(labels);
        self.answer(&command).map(drop).map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))
    }

    /// `containerd catalogue` prints a line for each image, `NAME DIGEST SECONDS LABEL…`, and `used NAME` for containers.
    fn image_catalogue(&self, _: &Path) -> io::Result<containerd::Catalogue> {
        let listed = self.answer(&Command::new("containerd").arg("catalogue")).map_err(io::Error::other)?.text();
        let mut catalogue = containerd::Catalogue::default();
        for line in listed.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match &words[..] {
                ["used", name] => catalogue.used.push((*name).to_owned()),
                [name, digest, seconds, labels @ ..] => catalogue.images.push(containerd::Image {
                    name: (*name).to_owned(),
                    digest: (*digest).to_owned(),
                    updated: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse().unwrap()),
                    labels: labels
                        .iter()
                        .filter_map(|label| label.split_once('='))
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect(),
                }),
                other => panic!("{other:?}"),
            }
        }
        Ok(catalogue)
    }

    fn remove_image(&self, _: &Path, reference: &str) -> io::Result<()> {
        let removed = self.answer(&Command::new("containerd").args(["remove", reference]));
        removed.map(drop).map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))
    }

    fn forget_images(&self, _: &Path, references: &[String], _: SystemTime) -> io::Result<()> {
        let command = Command::new("containerd").arg("forget").args(references.iter().map(String::as_str));
        self.answer(&command).map(drop).map_err(io::Error::other)
    }

    fn get(&self, url: &str) -> io::Result<String> {
        let got = self.answer(&Command::new("get").arg(url));
        got.map(|output| output.text()).map_err(io::Error::other)
    }

    fn unmount(&self, path: &Path) -> io::Result<()> {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        self.answer(&Command::new("umount").arg(format!("/{}", path.display()))).map(drop).map_err(io::Error::other)
    }

    fn kill(&self, pid: i32) -> io::Result<()> {
        self.answer(&Command::new("kill").arg(pid.to_string())).map(drop).map_err(io::Error::other)
    }

    fn addresses(&self) -> io::Result<BTreeMap<String, Vec<String>>> {
        Ok(BTreeMap::from([("eth0".into(), vec!["10.1.0.11/24".into()])]))
    }

    fn elapsed(&self) -> Duration {
        *self.clock.lock().unwrap()
    }

    fn pause(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }
}
