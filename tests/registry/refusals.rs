//! What is wrong with an image is told before it is used.

use std::fs;

use crate::command::{ok, refused};
use crate::image::{noise, own_and_other, write};
use crate::server::Server;

#[test]
fn a_tag_that_moved_is_refused() {
    let server = Server::plain();
    let home = server.home();
    let (own, _) = own_and_other();
    let (before, _) = write(&home.join("one"), "v1", &[own], &[("etcd", b"one")]);
    let (after, _) = write(&home.join("two"), "v1", &[own], &[("etcd", b"two")]);
    let name = server.name("sample:v1");
    ok(&home, &["image", "push", "oci:one", &name]);
    let pinned = format!("{name}@{before}");
    ok(&home, &["image", "inspect", &pinned]);
    ok(&home, &["image", "push", "oci:two", &name]);
    // Whoever has the image has the one that was meant.
    assert!(ok(&home, &["image", "inspect", &pinned]).contains(&before));
    let other = server.other_home("other");
    refused(&other, &["image", "inspect", &pinned], &["the tag moved", &after, &pinned]);
    assert!(ok(&other, &["image", "pull", &name]).contains(&after));
    // By its digest alone, the old one is still there.
    assert!(ok(&other, &["image", "inspect", &format!("{}@{before}", server.name("sample"))]).contains(&before));
    refused(&home, &["image", "push", "oci:two", &pinned], &["cannot push to", "name a tag"]);
}

#[test]
fn a_damaged_blob_in_the_registry_is_refused() {
    let server = Server::plain();
    let home = server.home();
    let (own, _) = own_and_other();
    let (_, layers) = write(&home.join("image"), "v1", &[own], &[("etcd", &noise(2, 100_000))]);
    let name = server.name("sample:v1");
    ok(&home, &["image", "push", "oci:image", &name]);
    let file = server.blob(&layers[0].sha256);
    let whole = fs::read(&file).unwrap();

    fs::write(&file, &whole[..50_000]).unwrap();
    let cut = format!("it has 50000 bytes there, not {}", whole.len());
    refused(&home, &["image", "pull", &name], &["is damaged", &cut, &server.host()]);
    refused(&home, &["image", "push", "oci:image", &name], &["is damaged", "does not take again what it has"]);

    let mut flipped = whole.clone();
    flipped[70_000] ^= 1;
    fs::write(&file, &flipped).unwrap();
    refused(&home, &["image", "pull", &name], &["is damaged", "it has digest", &layers[0].sha256]);
    assert_eq!(ok(&home, &["image", "ls", "-o", "json"]).trim(), "[]");

    fs::write(&file, &whole).unwrap();
    ok(&home, &["image", "pull", &name]);
}

#[test]
fn a_missing_architecture_is_told_with_those_that_are_there() {
    let server = Server::plain();
    let home = server.home();
    let (own, other) = own_and_other();
    write(&home.join("image"), "v1", &[other], &[("etcd", b"etcd")]);
    write(&home.join("image"), "v2", &[other, "riscv64"], &[("etcd", b"etcd")]);
    let lacks = format!("linux/{own}");
    refused(&home, &["image", "inspect", "oci:image:v1"], &[&lacks, &format!("linux/{other} only")]);
    refused(&home, &["image", "inspect", "oci:image:v2"], &[&lacks, &format!("linux/{other}, linux/riscv64")]);
    let name = server.name("sample:v2");
    ok(&home, &["image", "push", "oci:image:v2", &name]);
    refused(&home, &["image", "inspect", &name], &[&lacks, &format!("linux/{other}, linux/riscv64")]);
    ok(&home, &["image", "inspect", &name, "--architecture", other]);
}

#[test]
fn what_is_not_there_or_no_cluster_image_is_told() {
    let server = Server::plain();
    let home = server.home();
    refused(&home, &["image", "pull", &server.name("sample:v1")], &["has no manifest v1", "kubewright/sample"]);
    let (own, _) = own_and_other();
    write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd")]);
    ok(&home, &["image", "push", "oci:image", &server.name("sample:v1")]);
    refused(&home, &["image", "pull", &server.name("sample:v2")], &["has no manifest v2"]);
    refused(&home, &["image", "push", "oci:image:v2", &server.name("a:v1")], &["no image tagged \"v2\""]);
    refused(&home, &["image", "push", "oci:image", "oci:other:v1"], &["that is a directory", "image pull"]);
}
