use super::*;

const SPEC: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
architectures: [amd64, arm64]
components:
  - name: tools
    version: '1.2'
    roles: [etcd]
    files:
      - {file: 'tools/{version}/{arch}'}
      - {url: 'https://example.org/v{version}/tool-{arch}.tgz', member: 'tool-{arch}', to: bin/tool, sha256: {amd64: AMD}}
      - {url: 'https://example.org/notes', to: notes, checksums: 'https://example.org/sums-{version}'}
  - name: pods
    version: v3
    roles: [worker]
    images:
      - {image: 'registry.example/one:{version}'}
      - {image: 'registry.example/two:1', reference: 'registry.example/renamed:{version}', digest: 'sha256:AMD'}
      - {reference: 'registry.example/made:1', layers: [base]}
    layers: {base: [{file: base}]}
";

fn amd() -> String {
    "a".repeat(64)
}

fn spec() -> Spec {
    Spec::parse(&SPEC.replace("AMD", &amd()), "sample.yaml").unwrap()
}

fn lock(spec: &Spec) -> Lock {
    let open = spec.open();
    let files = open.files.into_keys().zip((1..).map(|n: u32| n.to_string().repeat(64))).collect();
    let images = open.images.into_keys().map(|reference| (reference, format!("sha256:{}", "f".repeat(64)))).collect();
    Lock::new(&spec.name, files, images)
}

#[test]
fn a_spec_knows_what_it_leaves_open() {
    let open = spec().open();
    let files: Vec<_> = open.files.iter().map(|(url, sums)| (url.as_str(), sums.as_deref())).collect();
    assert_eq!(
        files,
        [
            ("https://example.org/notes", Some("https://example.org/sums-1.2")),
            ("https://example.org/v1.2/tool-arm64.tgz", None),
        ]
    );
    let both = [Architecture::Amd64, Architecture::Arm64].into();
    assert_eq!(open.images, [("registry.example/one:v3".to_owned(), both)].into());
}

#[test]
fn each_architecture_gets_its_own_sources_and_digests() {
    let spec = spec();
    let pinned = spec.pin(Some(&lock(&spec)), &BTreeSet::new()).unwrap();
    let [amd64, arm64] = &pinned.variants[..] else { panic!("{pinned:?}") };
    assert_eq!((amd64.architecture, arm64.architecture), (Architecture::Amd64, Architecture::Arm64));
    let Content::Files(files) = &arm64.components[0].content else { panic!("{arm64:?}") };
    assert_eq!(files[0].place, Place::File { path: "tools/1.2/arm64".to_owned(), sha256: None });
    let download = |architecture, sha256: String| Place::Download {
        url: format!("https://example.org/v1.2/tool-{architecture}.tgz"),
        sha256,
    };
    assert_eq!(files[1].place, download("arm64", "2".repeat(64)));
    assert_eq!(files[1].member.as_deref(), Some("tool-arm64"));
    let Content::Files(files) = &amd64.components[0].content else { panic!("{amd64:?}") };
    assert_eq!(files[1].place, download("amd64", amd()));

    let pulled: Vec<_> = pinned.pulled().filter(|(architecture, ..)| *architecture == Architecture::Arm64).collect();
    let (locked, own) = (format!("sha256:{}", "f".repeat(64)), format!("sha256:{}", amd()));
    assert_eq!(
        pulled,
        [
            (Architecture::Arm64, "registry.example/one:v3", locked.as_str()),
            (Architecture::Arm64, "registry.example/two:1", own.as_str()),
        ]
    );
    let Content::Images(images, _) = &amd64.components[1].content else { panic!("{amd64:?}") };
    let names: Vec<_> = images.iter().map(PinnedImage::name).collect();
    assert_eq!(names, ["registry.example/one:v3", "registry.example/renamed:v3", "registry.example/made:1"]);
    assert_eq!(pinned.sources().count(), 2 * 4);
}

#[test]
fn an_image_can_be_for_fewer_architectures() {
    let spec = spec();
    let only = |architecture| spec.pin(Some(&lock(&spec)), &[architecture].into()).unwrap().variants;
    assert_eq!(only(Architecture::Arm64).len(), 1);
    let amd64 = Spec::parse(&SPEC.replace("AMD", &amd()).replace(", arm64", ""), "sample.yaml").unwrap();
    let error = amd64.pin(None, &[Architecture::Arm64].into()).unwrap_err().to_string();
    assert!(error.contains("sample is not for arm64"), "{error}");
}

#[test]
fn without_a_lock_all_that_is_open_is_listed() {
    insta::assert_snapshot!(spec().pin(None, &BTreeSet::new()).unwrap_err(), @"
    3 input(s) of sample are pinned neither by it nor by its lock; run `kubewright image lock` with it:
      https://example.org/notes
      https://example.org/v1.2/tool-arm64.tgz
      registry.example/one:v3
    ");
}

#[test]
fn a_lock_of_something_else_is_refused() {
    let spec = spec();
    let mut lock = lock(&spec);
    lock.name = "other".to_owned();
    lock.images.clear();
    lock.files.remove("https://example.org/notes");
    lock.files.insert("https://example.org/v1.1/tool-arm64.tgz".to_owned(), amd());
    insta::assert_snapshot!(spec.pin(Some(&lock), &BTreeSet::new()).unwrap_err(), @"
    the lock does not match the spec sample: run `kubewright image lock` with it again:
      it is the lock of other
      it does not pin https://example.org/notes
      it does not pin registry.example/one:v3
      it pins https://example.org/v1.1/tool-arm64.tgz, which the spec does not leave open
    ");
}
