//! Push and pull, mirrors, plain HTTP; what skopeo says about it.

use std::fs;

use crate::command::{ok, run};
use crate::image::{own_and_other, write};
use crate::server::Server;

/// The digest that a verb printed.
fn digest_in(text: &str) -> &str {
    let start = text.find("sha256:").unwrap_or_else(|| panic!("no digest: {text}"));
    &text[start..start + "sha256:".len() + 64]
}

#[test]
fn an_image_goes_to_a_registry_and_comes_back_the_same() {
    let server = Server::start();
    let (home, ca) = (server.home(), server.authority());
    let (own, other) = own_and_other();
    let (digest, layers) = write(&home.join("image"), "v1", &[own, other], &[("etcd", b"etcd"), ("runc", b"runc")]);
    let name = server.name("sample:v1");
    let pushed = ok(&home, &["image", "push", "oci:image:v1", &name, "--ca", &ca]);
    assert_eq!(digest_in(&pushed), digest);

    // skopeo finds the same, for both architectures.
    let auth = home.join("docker/config.json").display().to_string();
    let certificates = server.path().join("certs");
    fs::create_dir(&certificates).unwrap();
    fs::copy(&ca, certificates.join("ca.crt")).unwrap();
    let (certificates, docker) = (certificates.display().to_string(), format!("docker://{name}"));
    let skopeo = |arguments: &[&str]| {
        let all = [arguments, &["--authfile", &auth, "--cert-dir", &certificates, &docker]].concat();
        run("skopeo", &all).unwrap()
    };
    for architecture in [own, other] {
        let text = skopeo(&["--override-arch", architecture, "inspect"]);
        let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(seen["Architecture"], architecture);
        assert_eq!(seen["Layers"][1], format!("sha256:{}", layers[1].sha256));
    }
    let target = format!("oci:{}:v1", server.path().join("by-skopeo").display());
    let all = ["copy", "--all", "--src-authfile", &auth, "--src-cert-dir", &certificates, &docker, &target];
    run("skopeo", &all).unwrap();
    let inspected = ok(&home, &["image", "verify", &target]);
    assert_eq!(digest_in(&inspected), digest);

    // Somebody else gets all of it by the pull, and only what is needed by opening it.
    let whole = server.other_home("whole");
    ok(&whole, &["image", "pull", &name, "--ca", &ca]);
    let listed: serde_json::Value = serde_json::from_str(&ok(&whole, &["image", "ls", "-o", "json"])).unwrap();
    assert_eq!(listed[0]["reference"], name);
    assert_eq!(listed[0]["digest"], digest);
    assert_eq!(listed[0]["architectures"].as_array().unwrap().len(), 2);
    assert_eq!(digest_in(&ok(&whole, &["image", "verify", &name])), digest);
    let part = server.other_home("part");
    assert_eq!(digest_in(&ok(&part, &["image", "inspect", &name, "--ca", &ca])), digest);
    let listed: serde_json::Value = serde_json::from_str(&ok(&part, &["image", "ls", "-o", "json"])).unwrap();
    assert_eq!(listed[0]["architectures"], serde_json::json!([own]));
    // An image without variants is for the one that its config names.
    write(&home.join("image"), "v2", &[own], &[("etcd", b"etcd")]);
    let single = server.name("sample:v2");
    ok(&home, &["image", "push", "oci:image:v2", &single, "--ca", &ca]);
    ok(&part, &["image", "pull", &single, "--ca", &ca]);
    let listed: serde_json::Value = serde_json::from_str(&ok(&part, &["image", "ls", "-o", "json"])).unwrap();
    assert_eq!(listed[1]["architectures"], serde_json::json!([own]));
    // The next time, from the store, where no registry is asked.
    server.forget();
    ok(&part, &["image", "inspect", &name]);
    assert_eq!(server.requests(), []);
}

#[test]
fn a_second_push_sends_nothing_and_a_change_only_itself() {
    let server = Server::start();
    let (home, ca) = (server.home(), server.authority());
    let (own, _) = own_and_other();
    write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd"), ("runc", b"runc")]);
    let (_, layers) = write(&home.join("image"), "v2", &[own], &[("etcd", b"etcd"), ("runc", b"RUNC")]);
    let push = |tag: &str| {
        ok(&home, &["image", "push", &format!("oci:image:{tag}"), &server.name(&format!("s:{tag}")), "--ca", &ca])
    };
    push("v1");
    server.forget();
    push("v1");
    let requests = server.requests();
    assert!(!requests.is_empty() && requests.iter().all(|(method, _, _)| method == "HEAD"), "{requests:?}");
    server.forget();
    push("v2");
    let requests = server.requests();
    let sent: Vec<_> =
        requests.iter().filter(|(method, path, _)| method == "PUT" && path.contains("/blobs/")).collect();
    // The layer, and the config that lists it.
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.iter().any(|(_, path, _)| path.contains(&layers[1].sha256)), "{sent:?}");

    let difference = ok(&home, &["image", "diff", "oci:image:v1", "oci:image:v2", "-o", "json"]);
    let difference: serde_json::Value = serde_json::from_str(&difference).unwrap();
    assert_eq!(difference["components"][0]["layer"], "same");
    assert_eq!(difference["components"][1]["layer"], "changed");
    assert_eq!(difference["sent"]["worker"], layers[1].size);
}

#[test]
fn a_mirror_is_read_in_place_of_its_host() {
    let server = Server::start();
    let (home, ca) = (server.home(), server.authority());
    let (own, _) = own_and_other();
    let (digest, _) = write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd")]);
    ok(&home, &["image", "push", "oci:image", &server.name("sample:v1"), "--ca", &ca]);
    let mirror = format!("nowhere.example=https://{}/kubewright", server.host());
    let name = "nowhere.example/sample:v1";
    let pulled = ok(&home, &["image", "pull", name, "-o", "oci:copy", "--mirror", &mirror, "--ca", &ca]);
    assert_eq!(digest_in(&pulled), digest);
    assert_eq!(digest_in(&ok(&home, &["image", "verify", "oci:copy:v1"])), digest);
}

#[test]
fn a_registry_on_this_machine_needs_no_tls() {
    let server = Server::plain();
    let home = server.home();
    let (own, _) = own_and_other();
    let (digest, _) = write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd")]);
    let name = format!("localhost:{}/sample:v1", server.port);
    ok(&home, &["image", "push", "oci:image", &name]);
    let other = server.other_home("other");
    assert_eq!(digest_in(&ok(&other, &["image", "pull", &name])), digest);
}

#[test]
fn prune_keeps_what_is_kept() {
    let mut server = Server::plain();
    let home = server.home();
    let (own, _) = own_and_other();
    for (tag, runc) in [("v1", b"one"), ("v2", b"two"), ("v3", b"six")] {
        write(&home.join("image"), tag, &[own], &[("etcd", b"etcd"), ("runc", runc)]);
        let name = server.name(&format!("sample:{tag}"));
        ok(&home, &["image", "push", &format!("oci:image:{tag}"), &name]);
        ok(&home, &["image", "pull", &name]);
        // Their age is told in seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    assert!(ok(&home, &["image", "prune"]).starts_with("0.0 MB freed"));
    let list = ok(&home, &["image", "prune", "--keep", "2", "--list"]);
    assert!(list.contains(&server.name("sample:v1")) && !list.contains("sample:v2"), "{list}");
    assert_eq!(ok(&home, &["image", "ls"]).lines().count(), 4);
    let gone: serde_json::Value =
        serde_json::from_str(&ok(&home, &["image", "prune", "--keep", "2", "-o", "json"])).unwrap();
    assert_eq!(gone["images"], serde_json::json!([server.name("sample:v1")]));
    // Manifest, config, one layer; the other is shared.
    assert_eq!(gone["files"].as_array().unwrap().len(), 3);
    server.stop();
    for tag in ["v2", "v3"] {
        let listed = ok(&home, &["image", "ls"]);
        let name = listed.lines().find(|line| line.contains(tag)).unwrap().split(' ').next().unwrap();
        ok(&home, &["image", "verify", name]);
    }
}
