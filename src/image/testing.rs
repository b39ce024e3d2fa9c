//! A small cluster image for the tests of this module.

use std::fs;
use std::path::Path;

use super::build::{FakeRegistry, build_from};
use super::{BuildError, BuildOptions, Built, Spec};

pub(super) const SPEC: &str = r"
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
program: false
components:
  - name: tools
    version: 1.0.0
    roles: [etcd, worker]
    files:
      - {file: tools}
      - {file: readme, to: share/readme, mode: '0644'}
  - name: programs
    version: v1.20.2
    roles: [control-plane]
    images:
      - {reference: 'registry.example/one:v1', layers: [base, one], entrypoint: [/one], user: '65535'}
      - {reference: 'registry.example/two:v2', layers: [base], command: [sh], env: {PATH: /bin, A: b}}
    layers:
      base: [{file: tools}]
      one: [{file: readme, to: one, mode: '0755'}]
";

/// Writes the files of [`SPEC`] into `cache`.
pub(super) fn sources(cache: &Path) {
    fs::create_dir_all(cache.join("tools/bin")).unwrap();
    fs::write(cache.join("tools/bin/tool"), "tool ".repeat(1000)).unwrap();
    std::os::unix::fs::symlink("tool", cache.join("tools/bin/link")).unwrap();
    fs::write(cache.join("readme"), "read me").unwrap();
}

/// Builds `spec` with `cache` into `output`.
pub(super) fn build_spec(spec: &str, cache: &Path, output: &Path, tag: &str) -> Result<Built, BuildError> {
    build_with(spec, options(cache, output, tag), &FakeRegistry::default())
}

/// Options without anything else in them.
pub(super) fn options(cache: &Path, output: &Path, tag: &str) -> BuildOptions {
    BuildOptions { cache: cache.to_owned(), output: output.to_owned(), tag: tag.to_owned(), ..BuildOptions::default() }
}

/// Builds `spec` with container images of `registry`.
pub(super) fn build_with(spec: &str, options: BuildOptions, registry: &FakeRegistry) -> Result<Built, BuildError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(build_from(&Spec::parse(spec, "sample.yaml").unwrap(), options, registry))
}

/// Builds [`SPEC`] in `directory`; the image is in `directory/image`.
pub(super) fn sample(directory: &Path) -> Built {
    let cache = directory.join("cache");
    sources(&cache);
    build_spec(SPEC, &cache, &directory.join("image"), "v1").unwrap()
}

/// The head of a program for this machine, with program headers of these kinds: 1 is content, 3 names a loader.
pub(super) fn elf(machine: u16, kinds: &[u32]) -> Vec<u8> {
    let mut head = vec![0; 64];
    head[..6].copy_from_slice(b"\x7fELF\x02\x01");
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head[32..36].copy_from_slice(&64_u32.to_le_bytes());
    head[54..56].copy_from_slice(&56_u16.to_le_bytes());
    head[56..58].copy_from_slice(&u16::try_from(kinds.len()).unwrap().to_le_bytes());
    for kind in kinds {
        head.extend_from_slice(&kind.to_le_bytes());
        head.extend([0; 52]);
    }
    head
}
