//! Images that are run, that are for several architectures, and what is written on them.

use super::*;
use crate::cluster::Role;
use crate::image::ClusterImage;
use crate::image::testing::{build_with, elf, options};

const BOTH: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

/// Builds [`SPEC`] for both architectures in `directory`, with programs.
fn both(directory: &Path) -> Built {
    let cache = directory.join("cache");
    if !cache.exists() {
        sources(&cache);
    }
    for (architecture, machine) in BOTH.into_iter().zip([62, 183]) {
        fs::write(cache.join(format!("own-{architecture}")), architecture.as_str()).unwrap();
        fs::write(cache.join(format!("program-{architecture}")), elf(machine, &[1])).unwrap();
    }
    let spec =
        SPEC.replace("program: false", "architectures: [amd64, arm64]\nupgradesFrom: '>=v1.19.0, <v1.21.0'").replace(
            "      - {file: readme, to: share/readme",
            "      - {file: 'own-{arch}', to: own}\n      - {file: readme, to: share/readme",
        );
    let mut options = options(&cache, &directory.join("image"), "v1");
    options.programs = BOTH.map(|architecture| (architecture, cache.join(format!("program-{architecture}")))).into();
    build_with(&spec, options, &FakeRegistry::default()).unwrap()
}

fn document<T: serde::de::DeserializeOwned>(image: &Path, descriptor: &Descriptor) -> T {
    let path = image.join("blobs").join(descriptor.digest.replace(':', "/"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Manifest, config and list of components of every variant.
fn variants(image: &Path) -> Vec<(Descriptor, Manifest, Config, ClusterImage)> {
    let top = index_of(image).unwrap().unwrap();
    assert_eq!(top.manifests[0].media_type, oci::INDEX);
    let index: Index = document(image, &top.manifests[0]);
    let variants = index.manifests.into_iter().map(|descriptor| {
        let manifest: Manifest = document(image, &descriptor);
        let config: Config = document(image, &manifest.config);
        let label = &config.config.labels.as_ref().unwrap()[oci::CLUSTER_IMAGE];
        let image = ClusterImage::parse(label, "image").unwrap();
        (descriptor, manifest, config, image)
    });
    variants.collect()
}

#[test]
fn one_index_leads_to_a_manifest_for_each_architecture() {
    let directory = tempfile::tempdir().unwrap();
    let built = both(directory.path());
    let image = directory.path().join("image");
    assert_eq!(index_of(&image).unwrap().unwrap().manifests[0].digest, built.digest);
    let variants = variants(&image);
    assert_eq!(variants.len(), 2);
    for ((descriptor, manifest, config, image), architecture) in variants.iter().zip(BOTH) {
        let platform = descriptor.platform.as_ref().unwrap();
        assert_eq!((platform.os.as_str(), platform.architecture.as_str()), ("linux", architecture.as_str()));
        assert_eq!((config.architecture.as_str(), image.architecture), (architecture.as_str(), architecture));
        assert_eq!(image.upgrades_from.unwrap().to_string(), ">=v1.19.0, <v1.21.0");
        assert_eq!(manifest.layers.len(), 3);
        let own = built.components.iter().filter(|one| one.architecture == architecture);
        assert_eq!(image.components, own.map(|one| one.component.clone()).collect::<Vec<_>>());
    }
    let layer = |variant: usize, component: &str| variants[variant].3.component(component).unwrap().blob.clone();
    assert_ne!(layer(0, "tools"), layer(1, "tools"));
    let files = entries(&super::layer(&image, &layer(1, "tools")));
    assert!(files.iter().any(|(path, _, text)| path.ends_with("/own") && text == b"arm64"));
}

#[test]
fn an_index_is_the_same_wherever_it_is_built() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(both(one.path()).digest, both(two.path()).digest);
    let again = both(one.path());
    assert!(again.components.iter().all(|one| one.reused), "{again:?}");
}

#[test]
fn what_an_image_is_can_be_read_off_it() {
    let directory = tempfile::tempdir().unwrap();
    both(directory.path());
    let variants = variants(&directory.path().join("image"));
    let text = serde_json::to_string_pretty(&serde_json::json!({
        "manifest": variants[1].1.annotations,
        "layers": variants[1].1.layers.iter().map(|layer| &layer.annotations).collect::<Vec<_>>(),
        "entrypoint": variants[1].2.config.entrypoint,
        "env": variants[1].2.config.env,
    }));
    insta::assert_snapshot!(text.unwrap(), @r#"
    {
      "entrypoint": [
        "/usr/local/bin/kubewright"
      ],
      "env": [
        "HOME=/root",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
      ],
      "layers": [
        {
          "dev.kubewright.arch": "arm64",
          "dev.kubewright.component": "kubewright",
          "dev.kubewright.version": "0.1.0"
        },
        {
          "dev.kubewright.arch": "arm64",
          "dev.kubewright.component": "programs",
          "dev.kubewright.roles": "control-plane",
          "dev.kubewright.version": "v1.20.2"
        },
        {
          "dev.kubewright.arch": "arm64",
          "dev.kubewright.component": "tools",
          "dev.kubewright.roles": "etcd,worker",
          "dev.kubewright.version": "1.0.0"
        }
      ],
      "manifest": {
        "org.opencontainers.image.description": "kubewright cluster image: everything a Kubernetes v1.20.2 cluster is made of",
        "org.opencontainers.image.title": "sample",
        "org.opencontainers.image.version": "v1.20.2"
      }
    }
    "#);
}

#[test]
fn the_program_is_in_the_image_and_for_no_host() {
    let directory = tempfile::tempdir().unwrap();
    let built = both(directory.path());
    let image = directory.path().join("image");
    for (_, _, _, variant) in variants(&image) {
        let program = variant.component("kubewright").unwrap();
        assert_eq!((&program.kind, program.version.as_str()), (&ComponentKind::Program, env!("CARGO_PKG_VERSION")));
        for role in [Role::ControlPlane, Role::Etcd, Role::Worker] {
            assert!(variant.for_roles(&[role].into_iter().collect()).all(|one| one.name != "kubewright"));
        }
    }
    let blob = &component(&built, "kubewright").component.blob;
    let listing: Vec<_> =
        entries(&layer(&image, blob)).into_iter().map(|(path, mode, _)| format!("{mode:o} {path}")).collect();
    insta::assert_snapshot!(listing.join("\n"), @"
    755 etc/
    755 etc/ssl/
    755 etc/ssl/certs/
    644 etc/ssl/certs/ca-certificates.crt
    755 root/
    755 tmp/
    755 usr/
    755 usr/local/
    755 usr/local/bin/
    755 usr/local/bin/kubewright
    ");
}

#[test]
fn an_image_that_can_be_run_opens_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    sources(&cache);
    fs::write(cache.join("program"), elf(62, &[1])).unwrap();
    let mut options = options(&cache, &image, "v1");
    options.programs = [(Architecture::Amd64, cache.join("program"))].into();
    let built = build_with(&SPEC.replace("program: false\n", ""), options.clone(), &FakeRegistry::default()).unwrap();
    let location = crate::image::Location::Layout { directory: image, tag: None };
    let opened = crate::image::open_with_cache(&location, Path::new("")).unwrap();
    assert_eq!(opened.digest, built.digest);
    assert_eq!(opened.manifest.components.len(), 3);
    opened.verify(&component(&built, "kubewright").component.blob).unwrap();

    // A program that needs libraries would not start there.
    fs::write(cache.join("program"), elf(62, &[1, 3])).unwrap();
    let error = build_with(&SPEC.replace("program: false\n", ""), options, &FakeRegistry::default()).unwrap_err();
    assert!(error.to_string().contains("it needs shared libraries"), "{error}");
}

#[test]
fn a_changed_component_changes_its_layer_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    let layers = |built: &Built| {
        let blobs = built.components.iter().map(|one| (one.component.name.clone(), one.component.blob.sha256.clone()));
        blobs.collect::<BTreeMap<_, _>>()
    };
    let before = layers(&sample(directory.path()));
    fs::write(cache.join("tools/bin/more"), "more").unwrap();
    let spec = SPEC.replace("base: [{file: tools}]", "base: [{file: tools/bin/tool, to: tool}]");
    let middle = layers(&build_spec(&spec, &cache, &image, "v2").unwrap());
    fs::write(cache.join("tools/bin/more"), "other").unwrap();
    let after = layers(&build_spec(&spec, &cache, &image, "v3").unwrap());
    assert_ne!(before["programs"], middle["programs"]);
    assert_ne!(middle["tools"], after["tools"]);
    assert_eq!(middle["programs"], after["programs"]);
}
