//! Cluster images that are built from container images of a registry: by tag into the lock, by digest into the image.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use crate::command::{ok, refused, run};
use crate::image::sha256;
use crate::server::Server;

const SPEC: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
program: false
architectures: [amd64, arm64]
components:
  - name: pods
    version: v1
    roles: [worker]
    images:
      - {image: 'HOST/pods/one:{version}'}
      - {image: 'HOST/pods/two:{version}', reference: 'registry.example/renamed:{version}'}
";

/// Puts an image with this content into the registry, for each of `architectures`, in docker's own dialect.
fn publish(server: &Server, name: &str, content: &str, architectures: &[&str]) {
    let layout = tempfile::tempdir().unwrap();
    let put = |media_type: &str, bytes: &[u8]| {
        fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
        fs::write(layout.path().join("blobs/sha256").join(sha256(bytes)), bytes).unwrap();
        json!({
            "mediaType": format!("application/vnd.oci.image.{media_type}"),
            "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len(),
        })
    };
    let manifests = architectures.iter().map(|architecture| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, "content", content.as_bytes()).unwrap();
        let tar = tar.into_inner().unwrap();
        let rootfs = json!({"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&tar))]});
        let config = json!({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs});
        let config = put("config.v1+json", config.to_string().as_bytes());
        let layers = [put("layer.v1.tar", &tar)];
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let mut descriptor = put("manifest.v1+json", manifest.to_string().as_bytes());
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        descriptor
    });
    let manifests: Vec<_> = manifests.collect();
    let top = match &manifests[..] {
        [only] => only.clone(),
        _ => put("index.v1+json", json!({"schemaVersion": 2, "manifests": manifests}).to_string().as_bytes()),
    };
    fs::write(layout.path().join("index.json"), json!({"schemaVersion": 2, "manifests": [top]}).to_string()).unwrap();
    fs::write(layout.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let (from, to) = (format!("oci:{}", layout.path().display()), format!("docker://{}/{name}", server.host()));
    let dialect = ["--insecure-policy", "copy", "--all", "--format", "v2s2", "--dest-tls-verify=false"];
    let login = ["--dest-creds", "ops:correct horse"];
    run("skopeo", &[&dialect[..], &login, &[&from, &to]].concat()).unwrap();
}

fn published() -> Server {
    let server = Server::start();
    publish(&server, "pods/one:v1", "one", &["amd64", "arm64"]);
    publish(&server, "pods/two:v1", "two", &["amd64", "arm64"]);
    let spec = SPEC.replace("HOST", &server.host());
    fs::write(server.home().join("spec.yaml"), spec).unwrap();
    server
}

/// The files of the archive with the component's container images, of a variant of `oci:out`.
fn archive(home: &Path, architecture: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    let inspect = ["image", "inspect", "oci:out", "--verify", "-o", "json", "--architecture", architecture];
    let image: Value = serde_json::from_str(&ok(home, &inspect)).unwrap();
    let component = &image["image"]["components"][0];
    assert_eq!(component["kind"]["images"][1], "registry.example/renamed:v1");
    let blob = component["blob"]["sha256"].as_str().unwrap();
    let layer = fs::read(home.join("out/blobs/sha256").join(blob)).unwrap();
    let files = |tar: &[u8]| {
        let mut files = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
        files
    };
    files(&files(&zstd::decode_all(&layer[..]).unwrap())["opt/kubewright/images/pods.tar"])
}

#[test]
fn tags_are_locked_and_images_are_taken_by_digest() {
    let server = published();
    let (home, ca) = (server.home(), server.authority());
    let lock = ["image", "lock", "spec.yaml", "--ca", &ca];
    let build = ["image", "build", "spec.yaml", "-o", "oci:out", "--ca", &ca];
    refused(&home, &build, &["2 input(s) of sample are pinned neither", "/pods/one:v1", "/pods/two:v1", "image lock"]);
    assert!(ok(&home, &lock).contains("0 files and 2 images locked"));
    server.forget();
    let built = ok(&home, &build);
    let requests = server.requests();
    assert!(requests.iter().all(|(_, path, _)| path == "/v2/" || path.contains("sha256:")), "{requests:?}");

    for architecture in ["amd64", "arm64"] {
        let files = archive(&home, architecture);
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
        for manifest in index["manifests"].as_array().unwrap() {
            assert_eq!(manifest["platform"]["architecture"], architecture);
            // As the registry has it, so that its digest still holds.
            assert_eq!(manifest["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
            let digest = manifest["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            assert_eq!(sha256(&files[&format!("blobs/sha256/{digest}")]), digest);
        }
    }

    // The second time, the registry is not needed; the result is the same.
    server.forget();
    let again = ok(&home, &build);
    assert_eq!(server.requests(), []);
    let digest = |text: &str| text.lines().find(|line| line.starts_with("sha256:")).map(str::to_owned);
    assert_eq!(digest(&built), digest(&again));
}

#[test]
fn a_tag_that_moved_is_told_and_the_lock_stays() {
    let server = published();
    let (home, ca) = (server.home(), server.authority());
    let lock = ["image", "lock", "spec.yaml", "--ca", &ca];
    ok(&home, &lock);
    let locked = fs::read_to_string(home.join("spec.lock.yaml")).unwrap();
    publish(&server, "pods/one:v1", "another", &["amd64", "arm64"]);
    refused(&home, &lock, &["/pods/one:v1 moved: locked as sha256:", "the lock stays as it is", "--update"]);
    assert_eq!(fs::read_to_string(home.join("spec.lock.yaml")).unwrap(), locked);
    // What is locked is still there, under its digest.
    ok(&home, &["image", "build", "spec.yaml", "-o", "oci:out", "--ca", &ca]);
    ok(&home, &[&lock[..], &["--update"]].concat());
    assert_ne!(fs::read_to_string(home.join("spec.lock.yaml")).unwrap(), locked);
}

#[test]
fn an_image_without_a_variant_for_each_architecture_is_not_locked() {
    let server = published();
    publish(&server, "pods/one:v1", "one", &["amd64"]);
    let arguments = ["image", "lock", "spec.yaml", "--ca", &server.authority()];
    refused(&server.home(), &arguments, &["1 input(s) cannot be locked", "/pods/one:v1 cannot be used"]);
    assert!(!server.home().join("spec.lock.yaml").exists());
}

#[test]
fn a_mirror_stands_for_the_registry_of_the_spec() {
    let server = published();
    let (home, ca) = (server.home(), server.authority());
    fs::write(home.join("spec.yaml"), SPEC.replace("HOST", "elsewhere.example")).unwrap();
    let mirror = format!("elsewhere.example=https://{}", server.host());
    ok(&home, &["image", "lock", "spec.yaml", "--ca", &ca, "--mirror", &mirror]);
    assert!(
        fs::read_to_string(home.join("spec.lock.yaml")).unwrap().contains("\"elsewhere.example/pods/one:v1\": sha256:")
    );
    ok(&home, &["image", "build", "spec.yaml", "-o", "oci:out", "--ca", &ca, "--mirror", &mirror]);
    archive(&home, "arm64");
}
