//! Images on a scripted containerd, and on a real one.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use super::super::super::blob::sha256;
use super::super::super::command::Command;
use super::super::super::converge::{converge, diff};
use super::super::super::machine::Machine;
use super::super::super::system::Live;
use super::super::super::testing::Scripted;
use super::{changes, make, part};
use crate::cluster::Snapshotter;
use crate::desired::state::{Images, Part, PartState, Resource, Retained};
use crate::image::Blob;

fn images(host: &Scripted, content: &[u8]) -> (Vec<PartState>, String) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "opt/kubewright/images/pause.tar", content).unwrap();
    let layer = zstd::encode_all(builder.into_inner().unwrap().as_slice(), 1).unwrap();
    let sha256 = sha256(&layer);
    let path = host.at(&format!("/var/lib/kubewright/blobs/sha256/{sha256}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::create_dir_all(host.at("/var/lib/containerd")).unwrap();
    fs::write(path, &layer).unwrap();
    let images = Images {
        name: "pause".into(),
        blob: Blob { sha256: sha256.clone(), size: layer.len() as u64 },
        references: vec!["registry.k8s.io/pause:3.2".into()],
        ctr: "/opt/kubewright/containerd/1.6/bin/ctr".into(),
        snapshotter: Snapshotter::Overlayfs,
    };
    (vec![part(Part::Runtime, vec![Resource::Images(images)])], sha256)
}

#[test]
fn images_are_imported_through_a_pipe_verified_and_labelled() {
    let host = Scripted::new();
    let (parts, sha256) = images(&host, b"an OCI archive");
    assert!(changes(&host, &parts)[0].summary.contains("containerd does not run yet"));
    host.put("/opt/kubewright/containerd/1.6/bin/ctr", "");
    fs::create_dir_all(host.at("/run/containerd")).unwrap();
    let _containerd = UnixListener::bind(host.at("/run/containerd/containerd.sock")).unwrap();
    let ctr = format!(
        "{0}/opt/kubewright/containerd/1.6/bin/ctr -n k8s.io --address {0}/run/containerd/containerd.sock images",
        host.directory().display()
    );
    let label = format!(
        "containerd label registry.k8s.io/pause:3.2 io.cri-containerd.pinned=pinned kubewright.dev/blob={sha256}"
    );
    host.expect("containerd images", "");
    host.expect(&format!("{ctr} import -"), "");
    host.expect(&label, "");
    assert_eq!(make(&host, &parts)[0].summary, "import registry.k8s.io/pause:3.2");
    assert_eq!(host.fed(), [b"an OCI archive"]);
    host.expect("containerd images", &format!("registry.k8s.io/pause:3.2 a=b kubewright.dev/blob={sha256}"));
    assert_eq!(changes(&host, &parts), []);
    // The same reference from another build is imported again; one that does not arrive is an error.
    host.expect("containerd images", "registry.k8s.io/pause:3.2 kubewright.dev/blob=00");
    host.expect(&format!("{ctr} import -"), "");
    host.expect_failure(&label, "not found");
    let failure = converge(&host.machine, &parts, &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("does not know registry.k8s.io/pause:3.2"), "{failure}");
    host.done();
}

#[test]
fn what_an_import_left_that_was_cut_off_goes_first() {
    let host = Scripted::new();
    let (parts, sha256) = images(&host, b"an OCI archive");
    host.put("/opt/kubewright/containerd/1.6/bin/ctr", "");
    fs::create_dir_all(host.at("/run/containerd")).unwrap();
    let _containerd = UnixListener::bind(host.at("/run/containerd/containerd.sock")).unwrap();
    let ctr = host.at("/opt/kubewright/containerd/1.6/bin/ctr").display().to_string();
    let socket = host.at("/run/containerd/containerd.sock").display().to_string();
    let import = format!("{ctr} -n k8s.io --address {socket} images import -");
    let label = format!(
        "containerd label registry.k8s.io/pause:3.2 io.cri-containerd.pinned=pinned kubewright.dev/blob={sha256}"
    );
    for (other, forgotten) in [
        ("sha256:aa sha256:01 7 io.cri-containerd.image=managed", "registry.k8s.io/pause:3.2 sha256:aa"),
        // The same image has come whole under another name.
        ("other:1 sha256:01 7 kubewright.dev/blob=00", ""),
    ] {
        host.expect("containerd images", "registry.k8s.io/pause:3.2 io.cri-containerd.image=managed");
        let own = "registry.k8s.io/pause:3.2 sha256:01 7 io.cri-containerd.image=managed";
        host.expect("containerd catalogue", &format!("{own}\n{other}\nelse:1 sha256:02 7"));
        host.expect(format!("containerd forget {forgotten}").trim_end(), "");
        host.expect(&import, "");
        host.expect(&label, "");
        make(&host, &parts);
        host.done();
    }
}

#[test]
fn a_containerd_that_never_answers_is_given_up() {
    let host = Scripted::new();
    let (parts, _) = images(&host, b"x");
    host.put("/opt/kubewright/containerd/1.6/bin/ctr", "");
    let failure = converge(&host.machine, &parts, &mut |_| {}).unwrap_err();
    assert!(failure.why.contains("nothing listens"), "{failure}");
}

/// An archive as `docker save` writes it: one layer, a configuration, a manifest.
fn archive(reference: &str, content: &[u8]) -> Vec<u8> {
    let entry = |builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, path, content).unwrap();
    };
    let mut layer = tar::Builder::new(Vec::new());
    entry(&mut layer, "pause", content);
    let layer = layer.into_inner().unwrap();
    let diff = sha256(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["sha256:{diff}"]}}}}"#
    );
    let manifest = format!(r#"[{{"Config":"config.json","RepoTags":["{reference}"],"Layers":["layer.tar"]}}]"#);
    let mut image = tar::Builder::new(Vec::new());
    entry(&mut image, "layer.tar", &layer);
    entry(&mut image, "config.json", config.as_bytes());
    entry(&mut image, "manifest.json", manifest.as_bytes());
    image.into_inner().unwrap()
}

/// containerd as Debian packages it, where this machine has one and the test runs as root.
struct RealContainerd {
    host: Scripted,
    machine: Machine,
    /// Ends with this.
    _daemon: tokio::process::Child,
}

impl RealContainerd {
    fn start() -> Option<Self> {
        let directory = std::env::var("KUBEWRIGHT_TEST_CONTAINERD").unwrap_or("/usr/bin".into());
        let containerd = format!("{directory}/containerd");
        if !Path::new(&containerd).exists() || !nix::unistd::getuid().is_root() {
            return None;
        }
        let host = Scripted::new();
        let config = format!(
            "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \
             \"io.containerd.internal.v1.opt\"]\n[grpc]\naddress = \"{0}/containerd.sock\"\n[ttrpc]\naddress = \"{0}/t.sock\"\n",
            host.at("/run/containerd").display()
        );
        host.put("/etc/containerd/config.toml", &config);
        host.put("/opt/kubewright/containerd/1/bin/x", "");
        symlink(format!("{directory}/ctr"), host.at("/opt/kubewright/containerd/1/bin/ctr")).unwrap();
        let daemon = tokio::process::Command::new(&containerd)
            .arg("--config")
            .arg(host.at("/etc/containerd/config.toml"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let machine = Machine::new(host.machine.root.clone(), Arc::new(Live::new()));
        Some(Self { host, machine, _daemon: daemon })
    }

    /// What brings `reference` about, with a program of this content.
    fn image(&self, reference: &str, content: &[u8]) -> Vec<PartState> {
        let (mut parts, _) = images(&self.host, &archive(reference, content));
        let Resource::Images(images) = &mut parts[0].resources[0] else { unreachable!() };
        images.ctr = "/opt/kubewright/containerd/1/bin/ctr".into();
        images.references = vec![reference.to_owned()];
        parts
    }

    fn ctr(&self, arguments: &[&str]) {
        let socket = self.host.at("/run/containerd/containerd.sock").display().to_string();
        let ctr = Command::new(self.host.at("/opt/kubewright/containerd/1/bin/ctr").display().to_string());
        let ctr = ctr.args(["-n", "k8s.io", "--address", &socket]).args(arguments.iter().copied());
        self.machine.system.run(&ctr).unwrap();
    }
}

/// Asking containerd blocks a thread of its own on a host, and here.
async fn with_containerd(work: impl FnOnce(&RealContainerd)) {
    if let Some(real) = RealContainerd::start() {
        tokio::task::block_in_place(|| work(&real));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_containerd_takes_them_and_keeps_the_label() {
    with_containerd(|real| {
        for content in [&b"one"[..], b"two"] {
            let parts = real.image("registry.k8s.io/pause:3.2", content);
            let made = converge(&real.machine, &parts, &mut |_| {}).unwrap();
            assert_eq!(made.len(), 1);
            assert_eq!(diff(&real.machine, &parts).unwrap(), []);
        }
    })
    .await;
}

/// A power cut after containerd has noted that an image is unpacked, and before its files were on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_containerd_unpacks_again_what_was_cut_short() {
    with_containerd(|real| {
        let reference = "registry.k8s.io/pause:3.2";
        let parts = real.image(reference, b"a program");
        converge(&real.machine, &parts, &mut |_| {}).unwrap();
        let unpacked = || {
            let snapshots = real.host.at("/run/containerd/root/io.containerd.snapshotter.v1.overlayfs/snapshots");
            let programs = fs::read_dir(snapshots).unwrap().map(|one| one.unwrap().path().join("fs/pause"));
            programs.filter(|path| path.exists()).collect::<Vec<_>>()
        };
        let [program] = &unpacked()[..] else { panic!("{:?}", unpacked()) };
        fs::write(program, "a pro").unwrap();
        real.ctr(&["images", "label", reference, "kubewright.dev/blob="]);
        real.ctr(&["images", "tag", reference, "sha256:00"]);
        assert_eq!(converge(&real.machine, &parts, &mut |_| {}).unwrap().len(), 1);
        let [program] = &unpacked()[..] else { panic!("{:?}", unpacked()) };
        assert_eq!(fs::read(program).unwrap(), b"a program");
        assert_eq!(diff(&real.machine, &parts).unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_containerd_lets_old_ones_go_unless_a_container_has_them() {
    with_containerd(|real| {
        let reference = |version: usize| format!("registry.k8s.io/pause:3.{version}");
        for version in 1..=4 {
            converge(&real.machine, &real.image(&reference(version), &[version as u8]), &mut |_| {}).unwrap();
        }
        real.ctr(&["containers", "create", &reference(1), "c1"]);
        let retained = |others| {
            let retained =
                Retained { directories: Vec::new(), references: vec![reference(4)], blobs: Vec::new(), others };
            vec![part(Part::Retained, vec![Resource::Retained(retained)])]
        };
        let removed = |others| {
            let made = converge(&real.machine, &retained(others), &mut |_| {}).unwrap();
            let changes = made.into_iter().flat_map(|part| part.changes).map(|change| change.resource);
            changes.filter(|resource| resource.starts_with("old image")).collect::<Vec<_>>()
        };
        assert_eq!(removed(2), ["old image registry.k8s.io/pause:3.2"]);
        assert_eq!(removed(2), Vec::<String>::new());
        assert_eq!(removed(0), ["old image registry.k8s.io/pause:3.3"]);
        real.ctr(&["containers", "delete", "c1"]);
        assert_eq!(removed(0), ["old image registry.k8s.io/pause:3.1"]);
        let known = real.machine.system.images(&real.host.at("/run/containerd/containerd.sock")).unwrap();
        assert_eq!(known.into_keys().collect::<Vec<_>>(), [reference(4)]);
    })
    .await;
}
