use super::super::fake_registry::{FakeRegistry, by_digest};
use std::path::Path;

use super::*;
use crate::image::testing::{build_with, options};
use crate::image::{BuiltComponent, ComponentKind, Lock};

const BOTH: &[Architecture] = &[Architecture::Amd64, Architecture::Arm64];
const ONE: &str = "registry.example/one:v1";
const TWO: &str = "registry.example/deep/two:v2";

fn spec(architectures: &str, one: &str, two: &str) -> String {
    format!(
        "apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
architectures: [{architectures}]
program: false
components:
  - name: pods
    version: v1
    roles: [worker]
    images:
      - {{image: '{ONE}', digest: {one}}}
      - {{image: '{TWO}', reference: 'registry.example/renamed:{{version}}', digest: {two}}}
"
    )
}

/// A directory, and a registry with both images; the digests of both.
fn registry() -> (tempfile::TempDir, FakeRegistry, [String; 2]) {
    let mut registry = FakeRegistry::default();
    let digests = [registry.add(ONE, "a layer of both", BOTH), registry.add(TWO, "a layer of both", BOTH)];
    (tempfile::tempdir().unwrap(), registry, digests)
}

fn run(directory: &Path, spec: &str, registry: &FakeRegistry) -> Result<Vec<BuiltComponent>, String> {
    let options = options(&directory.join("cache"), &directory.join("image"), "v1");
    build_with(spec, options, registry).map(|built| built.components).map_err(|error| error.to_string())
}

/// The files of the archive in a component's layer.
fn archive(directory: &Path, component: &BuiltComponent) -> BTreeMap<String, Vec<u8>> {
    let files = |tar: &[u8]| {
        let mut archive = tar::Archive::new(tar);
        let files = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            io::Read::read_to_end(&mut entry, &mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        files.collect::<BTreeMap<_, _>>()
    };
    let layer = fs::read(directory.join("image/blobs/sha256").join(&component.component.blob.sha256)).unwrap();
    let outer = files(&zstd::decode_all(&layer[..]).unwrap());
    files(&outer["opt/kubewright/images/pods.tar"])
}

#[test]
fn images_are_taken_by_digest_and_stay_as_they_are() {
    let (directory, registry, [one, two]) = registry();
    let built = run(directory.path(), &spec("amd64, arm64", &one, &two), &registry).unwrap();
    let names = vec![ONE.to_owned(), "registry.example/renamed:v1".to_owned()];
    assert_eq!(built.len(), 2);
    for (component, architecture) in built.iter().zip(BOTH) {
        assert_eq!(component.architecture, *architecture);
        assert_eq!(component.component.kind, ComponentKind::Images(names.clone()));
        let files = archive(directory.path(), component);
        let index: crate::image::oci::Index = serde_json::from_slice(&files["index.json"]).unwrap();
        for (descriptor, name) in index.manifests.iter().zip(&names) {
            assert_eq!(descriptor.annotations[crate::image::oci::CONTAINERD_NAME], *name);
            let get = |descriptor: &Descriptor| {
                let bytes = &files[&format!("blobs/{}", descriptor.digest.replace(':', "/"))];
                assert_eq!(format!("sha256:{}", digest::of_bytes(bytes)), descriptor.digest);
                assert_eq!(bytes.len() as u64, descriptor.size);
                bytes.clone()
            };
            let manifest: Manifest = serde_json::from_slice(&get(descriptor)).unwrap();
            let config: Config = serde_json::from_slice(&get(&manifest.config)).unwrap();
            assert_eq!(config.architecture, architecture.as_str());
            assert_eq!(get(&manifest.layers[0]), b"a layer of both");
        }
        // Both images are the same but for their names: two directories, three blobs, index.json and oci-layout.
        assert_eq!(files.len(), 2 + 3 + 2, "{:?}", files.keys());
    }
}

#[test]
fn what_is_in_the_cache_is_not_asked_for_again() {
    let (directory, registry, [one, two]) = registry();
    let spec = spec("amd64, arm64", &one, &two);
    run(directory.path(), &spec, &registry).unwrap();
    let asked = std::mem::take(&mut *registry.asked.lock().unwrap());
    let layer = digest::of_bytes(b"a layer of both");
    assert_eq!(asked.iter().filter(|what| **what == layer).count(), 1, "{asked:?}");
    assert!(asked.iter().all(|what| what.contains("@sha256:") || digest::is_sha256(what)), "{asked:?}");
    let again = run(directory.path(), &spec, &registry).unwrap();
    assert!(again.iter().all(|component| component.reused));
    assert_eq!(*registry.asked.lock().unwrap(), [""; 0]);
    // Damaged in the cache: found before it is packed, and fetched by the build after that.
    fs::write(directory.path().join("cache/build/pulled/blobs/sha256").join(&layer), "a LAYER of both").unwrap();
    fs::remove_dir_all(directory.path().join("cache/build/components")).unwrap();
    let error = run(directory.path(), &spec, &registry).unwrap_err();
    assert!(error.contains("was damaged and is removed: build again"), "{error}");
    run(directory.path(), &spec, &registry).unwrap();
}

#[test]
fn a_tag_that_moved_changes_nothing() {
    let (directory, mut registry, [one, two]) = registry();
    let before = run(directory.path(), &spec("amd64", &one, &two), &registry).unwrap();
    assert_ne!(registry.add(ONE, "another layer", BOTH), one);
    let other = tempfile::tempdir().unwrap();
    let after = run(other.path(), &spec("amd64", &one, &two), &registry).unwrap();
    assert_eq!(before[0].component.blob, after[0].component.blob);
}

#[test]
fn every_image_that_cannot_be_used_is_told() {
    let (directory, mut registry, [one, _]) = registry();
    let arm64 = registry.add(TWO, "only for one", &[Architecture::Arm64]);
    let missing = format!("sha256:{}", "0".repeat(64));
    let error = run(directory.path(), &spec("amd64", &missing, &missing), &registry).unwrap_err();
    assert!(error.contains("2 container image(s) failed") && error.contains("no such image"), "{error}");
    let error = run(directory.path(), &spec("amd64", &one, &arm64), &registry).unwrap_err();
    assert!(error.contains(&format!("{TWO} cannot be used: it is for linux/arm64, not for linux/amd64")), "{error}");
    assert!(!directory.path().join("image").exists());

    let index = registry.add(TWO, "no layer for arm64", &[Architecture::Amd64, Architecture::Amd64]);
    let error = run(directory.path(), &spec("amd64, arm64", &one, &index), &registry).unwrap_err();
    assert!(error.contains("it has no variant for linux/arm64, only for linux/amd64, linux/amd64"), "{error}");
    // A registry that gives something else.
    let reference = by_digest(TWO, &missing);
    registry.documents.insert(reference, b"{}".to_vec());
    let error = run(directory.path(), &spec("amd64", &one, &missing), &registry).unwrap_err();
    assert!(error.contains("what the registry gave has digest sha256:") && error.contains(&missing), "{error}");
}

#[test]
fn a_build_without_its_lock_is_refused_and_one_with_it_is_not() {
    let (directory, registry, [one, two]) = registry();
    let text = spec("amd64", &one, &two).replacen(&format!(", digest: {one}"), "", 1);
    let error = run(directory.path(), &text, &registry).unwrap_err();
    assert!(error.contains("1 input(s)") && error.contains(ONE) && !error.contains(TWO), "{error}");
    let lock = Lock::new("sample", BTreeMap::new(), [(ONE.to_owned(), one.clone())].into());
    let mut options = options(&directory.path().join("cache"), &directory.path().join("image"), "v1");
    options.lock = Some(lock);
    let locked = build_with(&text, options, &registry).unwrap();
    let other = tempfile::tempdir().unwrap();
    let pinned = run(other.path(), &spec("amd64", &one, &two), &registry).unwrap();
    assert_eq!(locked.components[0].component, pinned[0].component);
}
