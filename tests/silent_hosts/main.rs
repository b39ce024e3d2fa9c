//! Verbs that have something to give where no host of a cluster answers.
#![allow(clippy::unwrap_used)]

mod report;
mod support;

use std::path::Path;

use assert_cmd::Command;

/// Of the smallest cluster image that opens.
const SPEC: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
program: false
components:
  - {name: etcd, version: 3.5.16, roles: [etcd], files: [{file: etcd, to: bin/etcd, mode: '0755'}]}
";

fn kubewright(home: &Path) -> Command {
    let mut command = assert_cmd::cargo_bin_cmd!("kubewright");
    command.current_dir(home).env_clear().env("HOME", home).env("KUBEWRIGHT_CACHE", home);
    command.env("KUBEWRIGHT_STATE_DIR", home.join("state"));
    command
}
