use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::FakeRegistry;
use super::*;

/// Serves these files under `http://ADDRESS/`; everything else is missing. Returns the address and the paths asked for.
async fn serve(files: Vec<(&'static str, String)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let (status, body) = match files.iter().find(|(name, _)| *name == path) {
                Some((_, content)) => ("200 OK", content.as_str()),
                None => ("404 Not Found", "<html>"),
            };
            seen.lock().unwrap().push(path);
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    (address, asked)
}

fn spec(architectures: &str, files: &str, images: &str) -> Spec {
    let text = format!(
        "apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
architectures: [{architectures}]
components:
  - name: tools
    version: '1.2'
    roles: [etcd]
    files:
      - {{file: own, to: own}}
{files}
  - name: pods
    version: v3
    roles: [worker]
    images: [{{reference: 'registry.example/made:1', layers: [base]}}, {images}]
    layers: {{base: [{{file: base}}]}}
"
    );
    Spec::parse(&text, "sample.yaml").unwrap()
}

const IMAGE: &str = "registry.example/one:v3";
const IMAGE_SPEC: &str = "{image: 'registry.example/one:{version}'}";
const BOTH: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

#[tokio::test]
async fn digests_come_from_publishers_and_registries() {
    let (one, two, three) = ("1".repeat(64), "2".repeat(64), "3".repeat(64));
    let (address, asked) = serve(vec![
        ("/mirror/v1.2/tool-amd64.sha256", format!("{one}\n")),
        ("/mirror/v1.2/SHA256SUMS", format!("{two}  tool-arm64\n{one}  other\n")),
        ("/mirror/sums-1.2", format!("{three} *notes\n")),
    ])
    .await;
    let mut registry = FakeRegistry::default();
    let digest = registry.add(IMAGE, "layer", &BOTH);
    let files = "      - {url: 'https://publisher.example/v{version}/tool-{arch}', to: tool}
      - {url: 'https://publisher.example/notes', checksums: 'https://publisher.example/sums-{version}', to: notes}";
    let spec = spec("amd64, arm64", files, IMAGE_SPEC);
    let mirrors = vec![format!("publisher.example=http://{address}/mirror").parse().unwrap()];
    let options = RegistryOptions { mirrors, ..RegistryOptions::default() };
    let lock = resolve(&spec, &options, &registry).await.unwrap();
    // Named as the publisher has them, wherever they came from.
    let expected = [
        ("https://publisher.example/notes", three),
        ("https://publisher.example/v1.2/tool-amd64", one),
        ("https://publisher.example/v1.2/tool-arm64", two),
    ];
    assert_eq!(lock.files, expected.map(|(url, sha256)| (url.to_owned(), sha256)).into());
    assert_eq!(lock.images, [(IMAGE.to_owned(), digest)].into());
    // The second time it is the same, to the byte, and pins the spec.
    let again = resolve(&spec, &options, &registry).await.unwrap();
    assert_eq!(again.to_yaml(), lock.to_yaml());
    spec.pin(Some(&lock), &BTreeSet::new()).unwrap();
    assert!(asked.lock().unwrap().contains(&"/mirror/v1.2/tool-arm64.sha256sum".to_owned()));
}

#[tokio::test]
async fn all_that_cannot_be_locked_is_told() {
    let (address, _) = serve(vec![
        ("/a.sha256", "<html>sorry</html>".to_owned()),
        ("/SHA256SUMS", format!("{}  other\n", "1".repeat(64))),
    ])
    .await;
    let mut registry = FakeRegistry::default();
    registry.add(IMAGE, "layer", &[Architecture::Amd64]);
    let files = format!("      - {{url: 'http://{address}/a', to: a}}");
    let images = format!("{IMAGE_SPEC}, {{image: 'registry.example/gone:1'}}");
    let error = resolve(&spec("amd64, arm64", &files, &images), &RegistryOptions::default(), &registry)
        .await
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(error.replace(&address, "ADDRESS"), @"
    3 input(s) cannot be locked:
      http://ADDRESS/a: no checksum: http://ADDRESS/a.sha256 does not have it, http://ADDRESS/a.sha256sum does not exist, http://ADDRESS/SHA256SUMS does not have it; write sha256, or checksums with its address, in the spec
      registry.example/gone:1: the registry has no such image
      registry.example/one:v3 cannot be used: it is for one architecture only, and the spec has several
    ");
}

#[tokio::test]
async fn a_tag_that_moved_is_seen() {
    let mut registry = FakeRegistry::default();
    let before = registry.add(IMAGE, "layer", &BOTH);
    let spec = spec("amd64, arm64", "", IMAGE_SPEC);
    let first = resolve(&spec, &RegistryOptions::default(), &registry).await.unwrap();
    let after = registry.add(IMAGE, "another layer", &BOTH);
    let second = resolve(&spec, &RegistryOptions::default(), &registry).await.unwrap();
    let moved: Vec<_> = second.moved_since(&first).iter().map(ToString::to_string).collect();
    assert_eq!(moved, [format!("{IMAGE} moved: locked as {before}, now {after}")]);
}
