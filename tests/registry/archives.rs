//! Images in one file.

use std::fs;

use crate::command::{ok, refused, run};
use crate::image::{noise, own_and_other, write};
use crate::server::Server;

#[test]
fn a_saved_image_is_read_by_others_and_loaded_again() {
    let mut server = Server::plain();
    let home = server.home();
    let (own, other) = own_and_other();
    let (digest, layers) = write(&home.join("image"), "v1", &[own, other], &[("etcd", b"etcd"), ("runc", b"runc")]);
    let name = server.name("sample:v1");
    ok(&home, &["image", "push", "oci:image", &name]);
    let saved = ok(&home, &["image", "save", &name, "-o", "image.tar"]);
    assert_eq!(saved.trim(), format!("oci-archive:image.tar\n{digest}"));
    let first = fs::read(home.join("image.tar")).unwrap();
    ok(&home, &["image", "save", &name, "-o", "image.tar"]);
    assert!(fs::read(home.join("image.tar")).unwrap() == first, "saving twice gives two files");

    // As an OCI archive, with both architectures.
    let file = home.join("image.tar").display().to_string();
    let manifest = run("skopeo", &["inspect", "--raw", &format!("oci-archive:{file}")]).unwrap();
    assert_eq!(format!("sha256:{}", crate::image::sha256(manifest.as_bytes())), digest);
    let text = run("skopeo", &["--override-arch", other, "inspect", &format!("oci-archive:{file}")]).unwrap();
    assert!(text.contains(&layers[0].sha256), "{text}");
    // As what docker loads, with this machine's.
    let text = run("skopeo", &["inspect", "--config", &format!("docker-archive:{file}")]).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["architecture"], own);

    // Where there is no registry.
    let away = server.other_home("away");
    server.stop();
    let loaded = ok(&away, &["image", "load", &file]);
    assert_eq!(loaded.trim(), format!("{name}@{digest}"));
    assert!(ok(&away, &["image", "verify", &name]).contains(&digest));
    assert!(ok(&away, &["image", "inspect", &format!("docker-archive:{file}")]).contains(&digest));
    let loaded = ok(&away, &["image", "load", &file, "r.example/other:v7"]);
    assert_eq!(loaded.trim(), format!("r.example/other:v7@{digest}"));
    // The unpacked file is only a cache.
    assert!(ok(&away, &["image", "prune"]).contains("archives"));
    assert!(ok(&away, &["image", "verify", &name]).contains(&digest));
}

#[test]
fn a_damaged_archive_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let (own, _) = own_and_other();
    write(&home.join("image"), "v1", &[own], &[("etcd", &noise(3, 100_000))]);
    ok(home, &["image", "save", "oci:image", "-o", "image.tar"]);
    let whole = fs::read(home.join("image.tar")).unwrap();
    let mut flipped = whole.clone();
    let layer = whole.windows(4).position(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    flipped[layer + 50_000] ^= 1;
    for (name, bytes, why) in [
        ("cut.tar", &whole[..layer + 50_000], "it is cut short; copy the archive again"),
        ("text.tar", &[b'x'; 2000][..], "cannot be read as tar"),
        ("flipped.tar", &flipped[..], "its content has digest"),
        ("empty.tar", &[0; 1024][..], "it has no "),
    ] {
        fs::write(home.join(name), bytes).unwrap();
        refused(home, &["image", "load", name], &[name, why]);
        refused(home, &["image", "inspect", &format!("oci-archive:{name}")], &[name, why]);
    }
    refused(home, &["image", "load", "gone.tar"], &["gone.tar"]);
    assert_eq!(ok(home, &["image", "ls", "-o", "json"]).trim(), "[]");

    // A layer that is damaged before it is saved does not get into the file.
    let file = fs::read_dir(home.join("image/blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[1000] ^= 1;
    fs::write(&file, bytes).unwrap();
    refused(home, &["image", "save", "oci:image", "-o", "image.tar"], &["is damaged"]);
    assert!(fs::read(home.join("image.tar")).unwrap() == whole, "the good file is gone");
    assert!(fs::read_dir(home).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.')));
}

const SPEC: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
program: false
components:
  - {name: etcd, version: 3.5.16, roles: [etcd], files: [{file: etcd, to: bin/etcd, mode: '0755'}]}
  - name: pause
    version: '3.2'
    roles: [control-plane, worker]
    images: [{reference: 'registry.example/pause:3.2', layers: [program]}]
    layers: {program: [{file: etcd, to: pause}]}
";

/// The same image with layers that the skopeo of Debian 12 can unpack for docker.
fn as_gzip(image: &str) -> String {
    let gzip = format!("{image}-gzip");
    run("skopeo", &["copy", "--dest-compress-format", "gzip", image, &gzip]).unwrap();
    gzip
}

#[test]
fn what_docker_has_unpacked_is_put_together_again() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    fs::create_dir(home.join("cache")).unwrap();
    fs::write(home.join("cache/etcd"), "etcd ".repeat(10_000)).unwrap();
    fs::write(home.join("spec.yaml"), SPEC).unwrap();
    ok(home, &["image", "build", "spec.yaml", "-o", "oci:image"]);
    let built = ok(home, &["image", "verify", "oci:image"]);
    let digest = built.lines().nth(1).unwrap();
    // As older dockers: layers without compression, and no manifest.
    let file = home.join("docker.tar").display().to_string();
    let image = format!("oci:{}", home.join("image").display());
    let unpacked = format!("docker-archive:{file}:r.example/sample:v1");
    run("skopeo", &["copy", &as_gzip(&image), &unpacked]).unwrap();
    assert!(ok(home, &["image", "inspect", &format!("docker-archive:{file}")]).contains(digest));
    assert_eq!(ok(home, &["image", "load", &file]).trim(), format!("r.example/sample:v1@{digest}"));
    ok(home, &["image", "verify", "r.example/sample:v1"]);
    refused(home, &["image", "inspect", &format!("oci-archive:{file}")], &["docker-archive:FILE"]);

    // Layers that were not made by this program.
    let (own, _) = own_and_other();
    write(&home.join("foreign"), "v1", &[own], &[("etcd", &noise(4, 10_000))]);
    let foreign = format!("oci:{}", home.join("foreign").display());
    let file = home.join("foreign.tar").display().to_string();
    run("skopeo", &["copy", &as_gzip(&foreign), &format!("docker-archive:{file}")]).unwrap();
    refused(home, &["image", "load", &file], &["component etcd", "does not give the same bytes", "from its registry"]);
}
