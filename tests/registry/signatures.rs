//! Signatures: made by us, read by skopeo and openssl, and demanded by an inventory.

use std::fs;
use std::path::Path;

use crate::command::{ok, refused, run};
use crate::image::{own_and_other, write};
use crate::server::Server;

/// A new key, made by openssl: `NAME` and `NAME.pub` in `directory`.
fn key(directory: &Path, name: &str) -> String {
    let file = directory.join(name).display().to_string();
    run("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-out", &file]).unwrap();
    run("openssl", &["pkey", "-in", &file, "-pubout", "-out", &format!("{file}.pub")]).unwrap();
    file
}

/// An inventory whose host cannot be reached: the bastion is nobody.
fn inventory(home: &Path, image: &str, trust: &str) {
    let text = format!(
        "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: test}}\nspec:\n  image: {image}\n{trust}\
         \x20 ssh: {{user: root, bastion: '127.0.0.1:1'}}\n  hosts:\n\
         \x20   - {{name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}}\n"
    );
    fs::write(home.join("cluster.yaml"), text).unwrap();
}

#[test]
fn an_inventory_that_demands_a_signature_gets_it_or_stops_before_any_host() {
    let server = Server::start();
    let (home, ca) = (server.home(), server.authority());
    let (own, other) = own_and_other();
    let (digest, _) = write(&home.join("image"), "v1", &[own, other], &[("etcd", b"etcd")]);
    let (good, wrong) = (key(&home, "good"), key(&home, "wrong"));
    let name = server.name("sample:v1");
    ok(&home, &["image", "push", "oci:image", &name, "--ca", &ca]);

    let plan = |home: &Path, parts: &[&str]| refused(home, &["plan", "-i", "cluster.yaml", "--ca", &ca], parts);
    let trust = |file: &str| format!("  imageTrust: {{keys: [{file}]}}\n");
    inventory(&home, &name, &trust("good.pub"));
    plan(&home, &["is not signed", &digest, "kubewright image sign"]);
    // A test that sees no host named there must see one named when the image is good.
    inventory(&home, &name, "");
    let reached = plan(&home, &["m1"]);
    assert!(!reached.contains("signed"), "{reached}");

    // Signed after it was pulled: the signature is fetched.
    let signer = server.other_home("signer");
    let signed = ok(&signer, &["image", "sign", &name, "--key", &good, "--ca", &ca]);
    assert!(signed.contains(&digest) && signed.contains("\nsigned"), "{signed}");
    let again = ok(&signer, &["image", "sign", &name, "--key", &good, "--ca", &ca]);
    assert!(again.contains("was signed with this key before"), "{again}");
    inventory(&home, &name, &trust("good.pub"));
    plan(&home, &["m1"]);
    inventory(&home, &name, &trust("wrong.pub"));
    plan(&home, &["is signed, but not by", "wrong.pub"]);
    inventory(&home, &name, "  imageTrust: {keys: [wrong.pub, good.pub]}\n");
    plan(&home, &["m1"]);
    inventory(&home, &name, &trust("good"));
    plan(&home, &["the key", "no public key in PEM form"]);

    // From the registry, from a file, from a directory: the signature comes along.
    let away = server.other_home("away");
    assert!(ok(&away, &["image", "pull", &name, "--ca", &ca]).contains(", signed"));
    ok(&away, &["image", "save", &name, "-o", "image.tar"]);
    ok(&away, &["image", "pull", &name, "-o", "oci:copy:v1", "--ca", &ca]);
    let public = |file: &str| format!("{file}.pub");
    for location in [&name, "oci-archive:image.tar", "oci:copy", "oci:copy:v1"] {
        let verified = ok(&away, &["image", "verify", location, "--key", &public(&good)]);
        assert!(verified.contains("good, signed with"), "{verified}");
        refused(&away, &["image", "verify", location, "--key", &public(&wrong)], &["but not by"]);
    }
    ok(&away, &["image", "push", "oci-archive:image.tar", &server.name("moved:v1"), "--ca", &ca]);
    let third = server.other_home("third");
    ok(&third, &["image", "verify", &server.name("moved:v1"), "--key", &public(&good), "--ca", &ca]);
    refused(&away, &["image", "sign", "oci-archive:image.tar", "--key", &good], &["sign the image first"]);
}

#[test]
fn openssl_finds_the_signature_good() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let (own, _) = own_and_other();
    let (digest, _) = write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd")]);
    let key = key(home, "key");
    ok(home, &["image", "sign", "oci:image", "--key", &key]);
    let blob = |digest: &str| home.join("image/blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let json = |path: &Path| -> serde_json::Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let index = json(&home.join("image/index.json"));
    let tag = format!("{}.sig", digest.replace(':', "-"));
    let entries = index["manifests"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == tag).unwrap();
    let layer = &json(&blob(entry["digest"].as_str().unwrap()))["layers"][0];
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
    fs::write(home.join("signature.base64"), signature).unwrap();
    let file = |name: &str| home.join(name).display().to_string();
    let decode = ["base64", "-d", "-A", "-in", &file("signature.base64"), "-out", &file("signature")];
    run("openssl", &decode).unwrap();
    let payload = blob(layer["digest"].as_str().unwrap()).display().to_string();
    let public = format!("{key}.pub");
    run("openssl", &["dgst", "-sha256", "-verify", &public, "-signature", &file("signature"), &payload]).unwrap();
}
