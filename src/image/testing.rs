//! A small cluster image for the tests of this module.

use std::fs;
use std::path::Path;

use super::{BuildError, BuildOptions, Built, Spec, build};

pub(super) const SPEC: &str = r"
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
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
    let options = BuildOptions { cache: cache.to_owned(), output: output.to_owned(), tag: tag.to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(build(Spec::parse(spec, "sample.yaml").unwrap(), options))
}

/// Builds [`SPEC`] in `directory`; the image is in `directory/image`.
pub(super) fn sample(directory: &Path) -> Built {
    let cache = directory.join("cache");
    sources(&cache);
    build_spec(SPEC, &cache, &directory.join("image"), "v1").unwrap()
}
