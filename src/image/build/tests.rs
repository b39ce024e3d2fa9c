use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::image::layout::index_of;
use crate::image::oci::{self, Config, Descriptor, Index, Manifest};
use crate::image::testing::{SPEC, build_spec, sample, sources};
use crate::image::{Blob, ComponentKind, digest};

/// Path, mode and text of every file in a tar; links have their target.
fn entries(tar: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = entry.link_name_bytes().map(|target| target.to_vec()).unwrap_or_default();
        let mode = entry.header().mode().unwrap();
        entry.read_to_end(&mut content).unwrap();
        (path, mode, content)
    });
    entries.collect()
}

fn layer(image: &Path, blob: &Blob) -> Vec<u8> {
    zstd::decode_all(&fs::read(image.join("blobs/sha256").join(&blob.sha256)).unwrap()[..]).unwrap()
}

fn component<'a>(built: &'a Built, name: &str) -> &'a BuiltComponent {
    built.components.iter().find(|one| one.component.name == name).unwrap()
}

#[test]
fn files_are_under_name_and_version() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let tools = component(&built, "tools");
    assert_eq!(tools.component.kind, ComponentKind::Files);
    assert_eq!(tools.files, 5000 + 7);
    let tar = layer(&directory.path().join("image"), &tools.component.blob);
    let listing: Vec<_> = entries(&tar).into_iter().map(|(path, mode, _)| format!("{mode:o} {path}")).collect();
    insta::assert_snapshot!(listing.join("\n"), @"
    755 opt/
    755 opt/kubewright/
    755 opt/kubewright/tools/
    755 opt/kubewright/tools/1.0.0/
    755 opt/kubewright/tools/1.0.0/bin/
    777 opt/kubewright/tools/1.0.0/bin/link
    644 opt/kubewright/tools/1.0.0/bin/tool
    755 opt/kubewright/tools/1.0.0/share/
    644 opt/kubewright/tools/1.0.0/share/readme
    ");
}

#[test]
fn container_images_share_their_layers_and_verify() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let programs = component(&built, "programs");
    assert_eq!(
        programs.component.kind,
        ComponentKind::Images(vec!["registry.example/one:v1".into(), "registry.example/two:v2".into()])
    );
    let outer = entries(&layer(&directory.path().join("image"), &programs.component.blob));
    assert_eq!(outer.last().unwrap().0, "opt/kubewright/images/programs.tar");
    let inner: BTreeMap<_, _> =
        entries(&outer.last().unwrap().2).into_iter().map(|(path, _, content)| (path, content)).collect();
    assert_eq!(inner["oci-layout"], oci::LAYOUT.as_bytes());

    let get = |descriptor: &Descriptor| {
        let blob = descriptor.blob().unwrap();
        let content = &inner[&format!("blobs/sha256/{}", blob.sha256)];
        assert_eq!(digest::of_bytes(content), blob.sha256);
        assert_eq!(content.len() as u64, blob.size);
        content.clone()
    };
    let index: Index = serde_json::from_slice(&inner["index.json"]).unwrap();
    let images: Vec<(String, Manifest, Config)> = index
        .manifests
        .iter()
        .map(|descriptor| {
            let manifest: Manifest = serde_json::from_slice(&get(descriptor)).unwrap();
            let config: Config = serde_json::from_slice(&get(&manifest.config)).unwrap();
            for (layer, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
                let tar = zstd::decode_all(&get(layer)[..]).unwrap();
                assert_eq!(format!("sha256:{}", digest::of_bytes(&tar)), *diff_id);
            }
            (descriptor.annotations[oci::CONTAINERD_NAME].clone(), manifest, config)
        })
        .collect();
    let [(one, first, config), (two, second, other)] = &images[..] else { panic!("two images: {images:?}") };
    assert_eq!((one.as_str(), two.as_str()), ("registry.example/one:v1", "registry.example/two:v2"));
    assert_eq!((first.layers.len(), second.layers.len()), (2, 1));
    assert_eq!(first.layers[0], second.layers[0]);
    // Two layers, two configs, two manifests; two directories, index.json and oci-layout.
    assert_eq!(inner.len(), 6 + 4);
    assert_eq!(config.config.entrypoint.as_deref(), Some(&["/one".to_owned()][..]));
    assert_eq!(config.config.user.as_deref(), Some("65535"));
    assert!(config.config.env.as_ref().unwrap()[0].starts_with("PATH=/usr/local/sbin:"));
    assert_eq!(other.config.env.as_deref(), Some(&["A=b".to_owned(), "PATH=/bin".to_owned()][..]));
    assert_eq!(other.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
}

#[test]
fn an_image_built_elsewhere_has_the_same_digest() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = sample(one.path());
    // Other times, another order of creation, another mask, and the components the other way round.
    let cache = two.path().join("elsewhere");
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join("readme"), "read me").unwrap();
    sources(&cache);
    fs::File::open(cache.join("tools/bin/tool")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let mut spec = serde_json::to_value(&*Spec::parse(SPEC, "sample.yaml").unwrap()).unwrap();
    spec["components"].as_array_mut().unwrap().reverse();
    let second = build_spec(&spec.to_string(), &cache, &two.path().join("image"), "v1").unwrap();
    assert_eq!(first.digest, second.digest);
    for file in ["index.json", "oci-layout"] {
        let read = |root: &Path| fs::read(root.join("image").join(file)).unwrap();
        assert_eq!(read(one.path()), read(two.path()), "{file}");
    }
}

#[test]
fn only_what_changed_is_packed_again() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    let first = sample(directory.path());
    assert!(first.components.iter().all(|one| !one.reused));
    let second = build_spec(SPEC, &cache, &image, "v1").unwrap();
    assert!(second.components.iter().all(|one| one.reused), "{second:?}");
    assert_eq!(first.digest, second.digest);

    let spec = SPEC.replace("version: 1.0.0", "version: 1.0.1");
    let third = build_spec(&spec, &cache, &image, "v1").unwrap();
    assert!(!component(&third, "tools").reused && component(&third, "programs").reused);
    assert_ne!(third.digest, first.digest);

    fs::write(cache.join("readme"), "READ ME").unwrap();
    let fourth = build_spec(SPEC, &cache, &image, "v1").unwrap();
    assert!(fourth.components.iter().all(|one| !one.reused), "{fourth:?}");
}

#[test]
fn a_damaged_layer_of_an_earlier_build_is_packed_again() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    let first = sample(directory.path());
    let blob = component(&first, "tools").component.blob.clone();
    let (kept, shipped) =
        (cache.join("build/blobs/sha256").join(&blob.sha256), image.join("blobs/sha256").join(&blob.sha256));
    assert_eq!(fs::metadata(&kept).unwrap().ino(), fs::metadata(&shipped).unwrap().ino());
    let mut file = fs::OpenOptions::new().write(true).open(&kept).unwrap();
    file.write_all(b"????").unwrap();
    drop(file);
    let second = build_spec(SPEC, &cache, &image, "v1").unwrap();
    assert!(!component(&second, "tools").reused && component(&second, "programs").reused);
    assert_eq!(second.digest, first.digest);
    assert_eq!(digest::of_file(&shipped).unwrap(), blob);
}

#[test]
fn tags_live_side_by_side_and_a_new_build_replaces_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    let first = sample(directory.path());
    let spec = SPEC.replace("v1.20.2", "v1.20.3");
    let second = build_spec(&spec, &cache, &image, "v2").unwrap();
    let third = build_spec(&spec, &cache, &image, "v1").unwrap();
    assert_ne!(first.digest, second.digest);
    assert_eq!(second.digest, third.digest);
    let index = index_of(&image).unwrap().unwrap();
    let tags: Vec<_> = index.manifests.iter().map(|one| (one.annotations[oci::TAG].as_str(), &one.digest)).collect();
    assert_eq!(tags, [("v2", &second.digest), ("v1", &third.digest)]);
}

#[test]
fn members_are_taken_out_of_verified_archives() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    fs::create_dir_all(&cache).unwrap();
    let mut tarball = tarball::Tarball::new(Vec::new());
    tarball.file("./release/bin/tool", true, 4, &b"tool"[..]).unwrap();
    tarball.file("./release/notes", false, 5, &b"notes"[..]).unwrap();
    let tar = tarball.finish().unwrap();
    fs::write(cache.join("release.tar"), &tar).unwrap();
    // As if it had been downloaded: nothing listens at that address.
    let sha256 = digest::of_bytes(&tar);
    fs::create_dir_all(cache.join("build/downloads")).unwrap();
    fs::write(cache.join("build/downloads").join(&sha256), &tar).unwrap();
    let spec = |sha256: &str| {
        format!(
            "apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: a
kubernetes: v1.20.2
program: false
components:
  - name: a
    version: 1.0.0
    roles: [worker]
    files:
      - {{file: release.tar, sha256: {sha256}, member: release/notes, to: NOTES}}
      - {{url: 'http://127.0.0.1:1/release.tar', sha256: {}, member: release/bin, to: bin}}
",
            digest::of_bytes(&tar)
        )
    };
    let image = directory.path().join("image");
    let built = build_spec(&spec(&sha256), &cache, &image, "v1").unwrap();
    let files: Vec<_> = entries(&layer(&image, &built.components[0].component.blob));
    let files: Vec<_> = files.iter().map(|(path, mode, content)| (path.as_str(), *mode, &content[..])).collect();
    assert_eq!(
        files[4..],
        [
            ("opt/kubewright/a/1.0.0/NOTES", 0o644, &b"notes"[..]),
            ("opt/kubewright/a/1.0.0/bin/", 0o755, b""),
            ("opt/kubewright/a/1.0.0/bin/tool", 0o755, b"tool"),
        ]
    );
    let wrong = digest::of_bytes(b"wrong");
    let error = build_spec(&spec(&wrong), &cache, &image, "v1").unwrap_err().to_string();
    assert!(error.contains("release.tar") && error.contains(&wrong) && error.contains(&sha256), "{error}");
}

#[test]
fn every_component_that_fails_is_named_and_nothing_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join("readme"), "read me").unwrap();
    let error = build_spec(SPEC, &cache, &image, "v1").unwrap_err().to_string();
    let error = error.replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(error, @"
    2 component(s) failed:
      programs (amd64): there is no DIR/cache/tools; does a script beside the spec make it, and was it run?
      tools (amd64): there is no DIR/cache/tools; does a script beside the spec make it, and was it run?
    ");
    assert!(!image.exists());
}

#[test]
fn a_directory_with_other_things_in_it_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    sources(&cache);
    fs::create_dir(&image).unwrap();
    fs::write(image.join("thesis.txt"), "").unwrap();
    let error = build_spec(SPEC, &cache, &image, "v1").unwrap_err().to_string();
    assert!(error.contains("neither empty nor an OCI image layout"), "{error}");
    assert_eq!(fs::read_dir(&image).unwrap().count(), 1);
    // An empty directory, and one where a build was interrupted, are taken.
    fs::remove_file(image.join("thesis.txt")).unwrap();
    fs::create_dir_all(image.join("blobs/sha256")).unwrap();
    build_spec(SPEC, &cache, &image, "v1").unwrap();
}

mod variants;

#[test]
fn manifests_are_read_back_and_reach_no_host() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    fs::create_dir_all(cache.join("objects")).unwrap();
    let object = |kind: &str| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\n");
    let (a, b) = (format!("{}---\n{}", object("A"), object("C")), object("B"));
    for (name, text) in [("b.yaml", &b), ("a.yaml", &a)] {
        fs::write(cache.join("objects").join(name), text).unwrap();
    }
    let spec = "apiVersion: kubewright.dev/v1alpha1\nkind: ImageSpec\nname: a\nkubernetes: v1.36.0\nprogram: false\n\
        components: [{name: addon, version: '1', manifests: [{file: objects}]}]\n";
    let image = directory.path().join("image");
    let built = build_spec(spec, &cache, &image, "v1").unwrap();
    assert_eq!(component(&built, "addon").component.kind, ComponentKind::Manifests);
    let reference = crate::cluster::ImageReference(format!("oci:{}", image.display()));
    let location = crate::image::Location::parse(&reference.0).unwrap();
    let open = crate::image::open_with_cache(&location, directory.path()).unwrap();
    let read = open.manifests("addon").unwrap();
    let read: Vec<_> = read.iter().map(|file| (file.path.display().to_string(), file.text.as_str())).collect();
    assert_eq!(read, [("a.yaml".to_owned(), a.as_str()), ("b.yaml".to_owned(), b.as_str())]);
    assert!(open.manifests("other").unwrap().is_empty());
    assert!(open.manifest.for_roles(&crate::cluster::Role::ALL.into_iter().collect()).next().is_none());
}

#[test]
fn manifests_that_no_server_takes_are_not_packed() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    fs::create_dir_all(cache.join("objects")).unwrap();
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n";
    for (name, text) in [
        ("a.yaml", format!("{good}kind: Gear\nmetadata: {{name: a}}\n")),
        ("b.yaml", format!("{good}apiVersion: v1\nkind: Secret\nmetadata: {{name: b}}\nstringData: {{x: hunter2\n")),
        ("README.md", "See the manual\n".to_owned()),
        ("template.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ cluster.name }}}\n".to_owned()),
    ] {
        fs::write(cache.join("objects").join(name), text).unwrap();
    }
    let spec = "apiVersion: kubewright.dev/v1alpha1\nkind: ImageSpec\nname: a\nkubernetes: v1.36.0\nprogram: false\n\
        components: [{name: addon, version: '1', manifests: [{file: objects}]}]\n";
    let error = build_spec(spec, &cache, &directory.path().join("image"), "v1").unwrap_err().to_string();
    assert!(error.starts_with("3 component(s) failed:"), "{error}");
    for part in [
        "addon (amd64): a.yaml: line 5: Gear a: it has no apiVersion",
        "README.md: line 1: a document is no object",
        "b.yaml: line ",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("hunter2") && !error.contains("template.yaml"), "{error}");
}

/// Where there is a Helm on this machine; `scripts/test.sh` brings one.
fn has_helm() -> bool {
    let named = std::env::var_os("KUBEWRIGHT_HELM").is_some();
    assert!(named || std::env::var_os("KUBEWRIGHT_LAB_TESTS").is_none(), "KUBEWRIGHT_HELM is not set");
    named
}

#[test]
fn a_chart_becomes_manifests_whose_images_are_there() {
    if !has_helm() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let template = "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace \
                    }}}\nspec: {containers: [{name: a, image: '{{ .Values.image }}'}]}\n# {{ \
                    .Capabilities.KubeVersion.Minor }}\n";
    for (name, text) in [
        ("chart/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n"),
        ("chart/values.yaml", "image: other\n"),
        ("chart/templates/pod.yaml", template),
        ("chart/crds/gear.yaml", "apiVersion: example.com/v1\nkind: Gear\nmetadata: {name: g}\n"),
        ("chart/templates/tests/try.yaml", "kind: Pod\nmetadata: {annotations: {helm.sh/hook: test}}\n"),
        ("values.yaml", "image: registry.example/a:1\n"),
    ] {
        let path = cache.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(cache.join("program"), "a").unwrap();
    let spec = |images: &str| {
        format!(
            "apiVersion: kubewright.dev/v1alpha1\nkind: ImageSpec\nname: a\nkubernetes: v1.36.0\nprogram: false\n\
             components:\n  - {{name: demo, version: '1', charts: [{{chart: {{file: chart}}, values: [{{file: \
             values.yaml}}], release: r, namespace: ns}}]}}\n{images}"
        )
    };
    let image = directory.path().join("image");
    let error = build_spec(&spec(""), &cache, &image, "v1").unwrap_err().to_string();
    assert!(error.contains("demo (amd64): r.yaml: it runs registry.example/a:1, which no component"), "{error}");
    let images = "  - {name: a, version: '1', roles: [worker], images: [{reference: registry.example/a:1, layers: [l], \
                  entrypoint: [/a]}], layers: {l: [{file: program, to: a}]}}\n";
    build_spec(&spec(images), &cache, &image, "v1").unwrap();
    let location = crate::image::Location::parse(&format!("oci:{}", image.display())).unwrap();
    let read = crate::image::open_with_cache(&location, directory.path()).unwrap().manifests("demo").unwrap();
    let text = read[0].text.as_str();
    for part in ["kind: Gear", "metadata: {name: r, namespace: ns}", "registry.example/a:1", "# 36"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("helm.sh/hook"), "{text}");

    let random = "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ randAlphaNum 9 }}}\n";
    fs::write(cache.join("chart/templates/random.yaml"), random).unwrap();
    let error = build_spec(&spec(images), &cache, &image, "v1").unwrap_err().to_string();
    assert!(error.contains("makes other manifests each time"), "{error}");
    fs::write(cache.join("chart/templates/random.yaml"), "{{ fail \"no\" }}").unwrap();
    let error = build_spec(&spec(images), &cache, &image, "v1").unwrap_err().to_string();
    assert!(error.contains("helm") && error.contains("no"), "{error}");
}
