//! `kubewright image`, as it is called: output, exit codes, interruption.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;

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
    layers: {program: [{file: pause, to: pause}]}
";

fn kubewright(cache: &Path) -> Command {
    let mut command = assert_cmd::cargo_bin_cmd!("kubewright");
    command.env("KUBEWRIGHT_CACHE", cache).current_dir(cache);
    command
}

fn sources() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    for (name, content) in [("etcd", "etcd"), ("pause", "pause"), ("spec.yaml", SPEC)] {
        fs::write(cache.path().join(name), content).unwrap();
    }
    cache
}

#[test]
fn an_image_is_built_inspected_and_verified() {
    let cache = sources();
    let build = ["image", "build", "spec.yaml", "-o", "oci:out"];
    kubewright(cache.path())
        .args(build)
        .assert()
        .success()
        .stdout(predicate::str::contains("oci:out:v1.20.2\nsha256:").and(predicate::str::contains("2 components")));
    kubewright(cache.path()).args(build).assert().success().stdout(predicate::str::contains("unchanged").count(2));

    let inspect = kubewright(cache.path()).args(["image", "inspect", "oci:out", "--verify"]).assert().success();
    let text = String::from_utf8(inspect.get_output().stdout.clone()).unwrap();
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], "sample: Kubernetes v1.20.2, 0.0 MB");
    assert!(lines[1].starts_with("sha256:"), "{text}");
    assert_eq!(
        lines[3..],
        [
            "COMPONENT VERSION SIZE ROLES CONTENT",
            "etcd 3.5.16 0.0 MB etcd files",
            "pause 3.2 0.0 MB control-plane, worker registry.example/pause:3.2",
        ]
    );

    let json = kubewright(cache.path()).args(["image", "inspect", "oci:out:v1.20.2", "-o", "json"]).assert().success();
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["digest"], lines[1]);
    assert_eq!(json["image"]["components"][1]["kind"]["images"][0], "registry.example/pause:3.2");
}

#[test]
fn wrong_calls_and_bad_images_have_their_exit_codes() {
    let cache = sources();
    fs::write(cache.path().join("bad.yaml"), SPEC.replace("3.5.16", "../1")).unwrap();
    for (arguments, code, what) in [
        (&["image", "build", "spec.yaml", "-o", "oci:out:a", "--tag", "b"][..], 64, "the tag is given twice"),
        (&["image", "build", "spec.yaml", "-o", "oci-archive:out.tar"], 64, "kubewright image save"),
        (&["image", "build", "spec.yaml"], 64, "--output"),
        (&["image", "build", "spec.yaml", "-o", "oci:out", "--tag", "../../victim"], 64, "the tag must be"),
        (&["image", "build", "gone.yaml", "-o", "oci:out"], 1, "cannot read the spec gone.yaml"),
        (&["image", "build", "bad.yaml", "-o", "oci:out"], 1, "components[0] (etcd): version: \"../1\""),
        (&["image", "inspect", "oci:gone"], 1, "there is no cluster image at gone"),
        (&["image", "inspect", "busybox:latest"], 1, "write REGISTRY/NAME:TAG, oci:DIR[:TAG]"),
    ] {
        kubewright(cache.path()).args(arguments).assert().code(code).stderr(predicate::str::contains(what));
    }
    assert!(!cache.path().join("out").exists());
}

#[test]
fn an_image_is_saved_into_a_file_and_over_nothing_else() {
    let cache = sources();
    kubewright(cache.path()).args(["image", "build", "spec.yaml", "-o", "oci:out"]).assert().success();
    let link = cache.path().join("link");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let save = ["image", "save", "oci:out", "-o", "link"];
    kubewright(cache.path()).args(save).assert().code(1).stderr(predicate::str::contains("no regular file"));
    assert!(link.is_symlink());
    let save = ["image", "save", "oci:out", "-o", "saved.tar"];
    kubewright(cache.path()).args(save).assert().success();
    kubewright(cache.path()).args(save).assert().success();
    let verify = ["image", "verify", "oci-archive:saved.tar"];
    kubewright(cache.path()).args(verify).assert().success();
    let saved = fs::read(cache.path().join("saved.tar")).unwrap();
    fs::write(cache.path().join("saved.tar"), &saved[..saved.len() / 2]).unwrap();
    for verb in [&verify[..], &["image", "inspect", "oci-archive:saved.tar", "--verify"]] {
        kubewright(cache.path()).args(verb).assert().code(1).stderr(predicate::str::contains("saved.tar"));
    }
}

#[test]
fn builds_at_the_same_time_wait_for_each_other() {
    let cache = sources();
    let digests: Vec<_> = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..4)
            .map(|number| {
                let tag = if number < 2 { "one" } else { "two" };
                let mut command = kubewright(cache.path());
                command.args(["image", "build", "spec.yaml", "-o", "oci:out", "--tag", tag]);
                scope.spawn(move || command.assert().success().get_output().stdout.clone())
            })
            .collect();
        builds.into_iter().map(|build| String::from_utf8(build.join().unwrap()).unwrap()).collect()
    });
    let digest = |text: &String| text.lines().find(|line| line.starts_with("sha256:")).unwrap().to_owned();
    assert!(digests.iter().all(|text| digest(text) == digest(&digests[0])), "{digests:?}");
    for tag in ["one", "two"] {
        kubewright(cache.path()).args(["image", "inspect", &format!("oci:out:{tag}"), "--verify"]).assert().success();
    }
}

/// The images that the lab upgrades between: what is not another version is the same, and the one with the stamp of another
/// minor is the same but for that.
#[test]
fn the_images_of_the_lab_go_together() {
    let text = |name: &str| fs::read_to_string(format!("{}/images/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (base, updates, minor) = (text("debian-12"), text("debian-12-updates"), text("debian-12-minor"));
    for (name, text) in [("base", &base), ("updates", &updates), ("minor", &minor)] {
        kubewright::image::Spec::parse(text, name).unwrap();
    }
    let content =
        |text: &str| text.lines().filter(|line| !line.starts_with(['#', 'n', 'u'])).collect::<Vec<_>>().join("\n");
    let stamped = updates.replace("v1.20.2+deb12u1", "v1.21.0").replace("v1.20.2-deb12u1", "v1.21.0");
    assert_eq!(content(&minor), content(&stamped));
    let versions = [("3.4.23", "3.5.16"), ("1.6.20", "1.7.24"), ("1.1.5", "1.1.15")];
    let updated = versions.iter().fold(content(&base), |text, (from, to)| text.replace(from, to));
    let plain = content(&updates).replace("v1.20.2+deb12u1", "v1.20.2").replace("v1.20.2-deb12u1", "v1.20.2");
    assert_eq!(plain, updated);
}
