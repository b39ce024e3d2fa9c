//! Makes manifests of a Helm chart, with the `helm` of the machine that builds. It reaches no network and no cluster, and
//! knows nothing of whoever runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::SourceError;
use crate::cluster::KubeVersion;

/// Names another program than the `helm` in PATH.
const PROGRAM: &str = "KUBEWRIGHT_HELM";

/// What is rendered.
pub(super) struct Chart<'a> {
    /// An archive or a directory.
    pub(super) path: &'a Path,
    pub(super) values: &'a [PathBuf],
    pub(super) release: &'a str,
    pub(super) namespace: &'a str,
    pub(super) kubernetes: KubeVersion,
}

impl Chart<'_> {
    /// The manifests. A chart that makes other ones each time, such as keys, would make another image with each build, and
    /// other objects with each upgrade: it is refused.
    pub(super) fn render(&self) -> Result<String, SourceError> {
        let first = self.run()?;
        if self.run()? != first {
            let why = "the chart makes other manifests each time (keys, certificates, passwords); give them as values";
            return Err(SourceError::unsuitable(self.path, why));
        }
        Ok(first)
    }

    #[allow(clippy::disallowed_methods, reason = "the door of hosts is theirs; this is the machine that builds")]
    fn run(&self) -> Result<String, SourceError> {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "helm".into());
        let home = tempfile::tempdir().map_err(SourceError::io("make a directory for helm beside", self.path))?;
        let mut command = Command::new(&program);
        command
            .args(["template", self.release])
            .arg(self.path)
            .args(["--namespace", self.namespace, "--kube-version", &self.kubernetes.to_string()])
            .args(["--include-crds", "--skip-tests"])
            .args(self.values.iter().flat_map(|file| [Path::new("--values"), file]))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home.path())
            .stdin(Stdio::null());
        let failed = |why: String| SourceError::unsuitable(self.path, format!("{}: {why}", program.to_string_lossy()));
        let output = command
            .output()
            .map_err(|error| failed(format!("{error}; install Helm 3 on this machine, or name it with {PROGRAM}")))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
    }
}
