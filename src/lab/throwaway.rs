//! A lab that ends with the process that asked for it, however that process ends: a second process, apart from its
//! terminal, waits at a pipe for its end and takes the lab down.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::setsid;

use super::uml::Uml;
use super::{Lab, LabError, LabName, Places, command, files};

/// What is written to the pipe when the lab is to stay.
const KEEP: &[u8] = b"keep";
/// How long a `lab up` that has lost its caller may hold the lab: a base image is made in this time.
const PATIENCE: Duration = Duration::from_secs(600);

/// A lab that goes with this value, and with this process where it is killed.
#[derive(Debug)]
pub struct Throwaway {
    reaper: Child,
}

impl Throwaway {
    /// From now on, a lab called `name` ends with this process. There must be none yet.
    pub fn begin(places: &Places, name: &LabName) -> Result<Self, LabError> {
        super::requirements::root()?;
        super::requirements::cluster(&Uml::find(places), &places.cache)?;
        if places.lab(name).exists() {
            return Err(LabError::Machine {
                what: format!("there is a lab {name} already, and it is not this command's to take away"),
                hint: "choose another name with --name, or use that lab with `kubewright lab exec`".into(),
            });
        }
        let mut reaper = command::new(&places.program);
        reaper.args(["lab", "reap", "--name", name.as_str()]).current_dir("/");
        reaper.stdin(Stdio::piped()).stdout(Stdio::null());
        let argv = command::argv(&reaper);
        let reaper = reaper.spawn().map_err(|source| LabError::Start { argv, source })?;
        Ok(Self { reaper })
    }

    /// Ends the lab, and returns when nothing of it is left.
    pub fn end(self) -> Result<(), LabError> {
        self.finish(b"")
    }

    /// Leaves the lab as it is.
    pub fn keep(self) -> Result<(), LabError> {
        self.finish(KEEP)
    }

    fn finish(mut self, word: &[u8]) -> Result<(), LabError> {
        if let Some(mut pipe) = self.reaper.stdin.take() {
            pipe.write_all(word).map_err(LabError::file("write to", "the pipe of `lab reap`"))?;
        }
        let status = self.reaper.wait().map_err(LabError::file("wait for", "`lab reap`"))?;
        if status.success() {
            return Ok(());
        }
        Err(LabError::Machine {
            what: "the lab could not be taken away (see above)".into(),
            hint: "try `kubewright lab down --name NAME`".into(),
        })
    }
}

/// Waits for the end of standard input, and takes the lab down unless it is to stay.
pub fn reap(places: &Places, name: &LabName) -> Result<(), LabError> {
    // Fails only where this process leads a group already; Ctrl-C at the caller's terminal must not end it.
    let _ = setsid();
    let mut word = Vec::new();
    let read = std::io::stdin().read_to_end(&mut word);
    if read.is_ok() && word == KEEP {
        return Ok(());
    }
    let begin = Instant::now();
    loop {
        match Lab::down(places, name) {
            Err(LabError::Busy { .. }) if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(200)),
            other => return other.map(drop),
        }
    }
}

impl Lab {
    /// Copies the logs of kubewright's runs and the hosts' consoles to `directory`.
    pub fn save_logs(&self, directory: &Path) -> Result<(), LabError> {
        files::make_directory(directory)?;
        let copy = |from: &Path, name: String| {
            let to = directory.join(name);
            std::fs::copy(from, &to).map(drop).map_err(LabError::file("write", to))
        };
        for host in self.hosts() {
            let console = self.machine(&host.name).console();
            if console.exists() {
                copy(&console, format!("{}-console.log", host.name))?;
            }
        }
        let runs = self.layout.state().join(self.name().as_str()).join("runs");
        for run in std::fs::read_dir(runs).into_iter().flatten().flatten() {
            copy(&run.path(), run.file_name().to_string_lossy().into_owned())?;
        }
        Ok(())
    }
}
