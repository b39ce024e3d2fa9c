//! Is it the right host? Checked against what sshd really shows.

use std::fs;

use kubewright::remote::{Connector, HostKeyPolicy, Options, RemoteError};

use crate::command::run;
use crate::server::Server;
use crate::tools::{error, host, key, options, public, says};

fn knowing(server: &Server, text: &str) -> Options {
    let options = options(server.path());
    let text = text.replace("HOST", &format!("[127.0.0.1]:{}", server.port));
    fs::write(&options.known_hosts[0], text).unwrap();
    options
}

async fn trusted(server: &Server, text: &str) {
    let result = Connector::new(knowing(server, text)).connect(&host(server, "root")).await;
    result.unwrap_or_else(|error| panic!("{text}\n{error}"));
}

async fn refused(server: &Server, text: &str) -> RemoteError {
    let options = Options { connect_attempts: 9, ..knowing(server, text) };
    let error = error(Connector::new(options).connect(&host(server, "root")).await);
    assert!(matches!(error, RemoteError::HostKey(_)), "{text}\n{error}");
    assert_eq!(server.log().matches("Accepted publickey").count(), 0, "the login was made nevertheless");
    error
}

fn stranger(server: &Server, kind: &str) -> String {
    let name = format!("stranger-{kind}");
    let path = server.path().join(&name);
    if path.exists() { public(&path) } else { public(&key(server.path(), &name, &["-t", kind])) }
}

#[tokio::test]
async fn a_known_host_is_trusted_however_it_is_written() {
    let server = Server::start();
    let own = server.host_key("ed25519");
    for text in [
        format!("HOST {own}\n"),
        format!("# comment\n\nother,HOST\t{}\n", own.replace(' ', "\t")),
        format!("[127.0.0.*]:* {own}\n"),
        format!("127.0.0.1 {own}\n"),
        format!("HOST {}\nHOST {own}\n", stranger(&server, "ed25519")),
        format!("*,!HOST {}\nHOST {own}\n", stranger(&server, "ed25519")),
    ] {
        trusted(&server, &text).await;
    }
}

#[tokio::test]
async fn a_hashed_name_is_found() {
    let server = Server::start();
    let options = knowing(&server, &format!("HOST {}\n", server.host_key("ed25519")));
    run("ssh-keygen", &["-q", "-H", "-f", options.known_hosts[0].to_str().unwrap()]);
    assert!(fs::read_to_string(&options.known_hosts[0]).unwrap().starts_with("|1|"));
    Connector::new(options).connect(&host(&server, "root")).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn an_unknown_host_is_refused_with_its_fingerprint() {
    let server = Server::start();
    let fingerprint = run("ssh-keygen", &["-lf", server.path().join("host_ed25519.pub").to_str().unwrap()]);
    let fingerprint = fingerprint.split_whitespace().nth(1).unwrap();
    let error = refused(&server, "").await;
    says(&error, &["its host key is not known: ssh-ed25519", fingerprint, "ssh-keyscan", "pin it in the inventory"]);
}

#[tokio::test]
async fn a_changed_key_is_refused_with_line_fingerprints_and_remedy() {
    let server = Server::start();
    let other = stranger(&server, "ed25519");
    for policy in [HostKeyPolicy::Strict, HostKeyPolicy::AcceptNew] {
        let options = Options { host_keys: policy, ..knowing(&server, &format!("# first\nHOST {other}\n")) };
        let file = options.known_hosts[0].clone();
        let before = fs::read_to_string(&file).unwrap();
        let error = error(Connector::new(options).connect(&host(&server, "root")).await);
        assert!(matches!(error, RemoteError::HostKey(_)), "{error}");
        let shown = run("ssh-keygen", &["-lf", server.path().join("host_ed25519.pub").to_str().unwrap()]);
        let recorded = run("ssh-keygen", &["-lf", server.path().join("stranger-ed25519.pub").to_str().unwrap()]);
        says(
            &error,
            &[
                "ITS HOST KEY HAS CHANGED",
                &format!("{}:2", file.display()),
                shown.split_whitespace().nth(1).unwrap(),
                recorded.split_whitespace().nth(1).unwrap(),
                &format!("ssh-keygen -f {} -R '[127.0.0.1]:{}'", file.display(), server.port),
            ],
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_even_when_it_is_recorded() {
    let server = Server::start();
    let own = server.host_key("ed25519");
    let error = refused(&server, &format!("HOST {own}\n@revoked * {own}\n")).await;
    says(&error, &["is revoked at", "known_hosts:2"]);
}

#[tokio::test]
async fn a_server_with_many_keys_is_asked_for_the_recorded_one() {
    let server = Server::with(&["ed25519", "ecdsa", "rsa"], "");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        trusted(&server, &format!("HOST {}\n", server.host_key(kind))).await;
    }
    // Two types recorded, one of them out of date: the other still vouches.
    let text = format!("HOST {}\nHOST {}\n", server.host_key("rsa"), server.host_key("ecdsa"));
    trusted(&server, &text).await;
}

#[tokio::test]
async fn a_key_of_another_type_than_the_recorded_is_no_new_host() {
    let server = Server::start();
    let text = format!("HOST {}\n", stranger(&server, "ecdsa"));
    let options = Options { host_keys: HostKeyPolicy::AcceptNew, ..knowing(&server, &text) };
    let error = error(Connector::new(options).connect(&host(&server, "root")).await);
    says(&error, &["ITS HOST KEY HAS CHANGED", "ecdsa-sha2-nistp256", "ssh-ed25519"]);
}

#[tokio::test]
async fn a_new_host_can_be_accepted_and_is_then_known() {
    let server = Server::start();
    let accept = Options { host_keys: HostKeyPolicy::AcceptNew, ..options(server.path()) };
    let connector = Connector::new(accept);
    let here = host(&server, "root");
    for connection in futures::future::join_all((0..4).map(|_| connector.connect(&here))).await {
        connection.unwrap_or_else(|error| panic!("{error}"));
    }
    let written = fs::read_to_string(server.path().join("known_hosts")).unwrap();
    // Without the comment, which does not travel.
    let own = server.host_key("ed25519");
    let own = own.rsplit_once(' ').unwrap().0;
    assert_eq!(written, format!("[127.0.0.1]:{} {own}\n", server.port));
    Connector::new(options(server.path())).connect(&here).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn pinned_keys_are_the_only_ones() {
    let server = Server::with(&["ed25519", "ecdsa"], "");
    let recorded = knowing(&server, &format!("HOST {}\n", server.host_key("ed25519")));
    let mut pinned = host(&server, "root");
    pinned.ssh.host_keys = vec![server.host_key("ecdsa")];
    Connector::new(options(server.path())).connect(&pinned).await.unwrap_or_else(|error| panic!("{error}"));
    pinned.ssh.host_keys = vec![stranger(&server, "ed25519")];
    let error = error(Connector::new(recorded).connect(&pinned).await);
    assert!(matches!(error, RemoteError::HostKey(_)));
    says(&error, &["none of those in the inventory", "pinned", "put the new key into the inventory"]);
}

#[tokio::test]
async fn a_pin_that_is_no_key_is_an_error_of_its_own() {
    let server = Server::start();
    let mut pinned = host(&server, "root");
    pinned.ssh.host_keys = vec!["SHA256:abc".into()];
    let error = error(Connector::new(options(server.path())).connect(&pinned).await);
    assert!(matches!(error, RemoteError::Local(_)));
    says(&error, &["the pinned host key \"SHA256:abc\" is not of the form"]);
}

/// A server with a host certificate, signed by `ca` with these options of ssh-keygen.
fn certified(options: &[&str]) -> (Server, String) {
    let directory = tempfile::tempdir().unwrap();
    let authority = key(directory.path(), "ca", &["-t", "ed25519"]);
    let own = key(directory.path(), "host_ed25519", &["-t", "ed25519"]);
    let user = key(directory.path(), "user", &["-t", "ed25519"]);
    fs::copy(user.with_extension("pub"), directory.path().join("authorized_keys")).unwrap();
    let (authority_file, public_file) = (authority.to_str().unwrap(), own.with_extension("pub"));
    run(
        "ssh-keygen",
        &[&["-q", "-s", authority_file, "-I", "host"], options, &[public_file.to_str().unwrap()]].concat(),
    );
    let authority = public(&authority);
    (Server::in_directory(directory, &["ed25519"], "HostCertificate DIR/host_ed25519-cert.pub"), authority)
}

#[tokio::test]
async fn a_host_certificate_is_trusted_through_its_authority() {
    let (server, authority) = certified(&["-h", "-n", "127.0.0.1"]);
    trusted(&server, &format!("@cert-authority 127.0.0.* {authority}\n")).await;
    trusted(&server, &format!("@cert-authority [127.0.0.1]:* {authority}\n")).await;
    // An authority that is known beside it does not matter, and the plain key still works.
    trusted(
        &server,
        &format!("@cert-authority 127.0.0.* {}\nHOST {}\n", stranger(&server, "ed25519"), server.host_key("ed25519")),
    )
    .await;
}

#[tokio::test]
async fn a_host_certificate_that_is_not_good_is_refused() {
    for (options, why) in [
        (&["-h", "-n", "127.0.0.2"][..], "it is for 127.0.0.2, not for 127.0.0.1"),
        (&["-h"], "it names no host"),
        (&["-h", "-n", "127.0.0.1", "-V", "20200101000000Z:20210101000000Z"], "it expired at 2021-01-01T00:00:00Z"),
        (&["-h", "-n", "127.0.0.1", "-O", "critical:x"], "the critical option x"),
    ] {
        let (server, authority) = certified(options);
        let error = refused(&server, &format!("@cert-authority * {authority}\n")).await;
        says(&error, &["its host certificate is not good", why, "known_hosts:1"]);
    }
}

#[tokio::test]
async fn a_revoked_or_unknown_authority_is_refused() {
    let (server, authority) = certified(&["-h", "-n", "127.0.0.1"]);
    let error = refused(&server, &format!("@cert-authority * {authority}\n@revoked * {authority}\n")).await;
    says(&error, &["is revoked at", "known_hosts:2"]);
    let error = refused(&server, &format!("@cert-authority * {}\n", stranger(&server, "ed25519"))).await;
    says(&error, &["its host key is not known"]);
}

#[tokio::test]
async fn an_unreadable_known_hosts_file_is_not_an_empty_one() {
    let server = Server::start();
    let broken = Options { known_hosts: vec![server.path().to_owned()], ..options(server.path()) };
    let error = error(Connector::new(broken).connect(&host(&server, "root")).await);
    assert!(matches!(error, RemoteError::Local(_)));
    says(&error, &["reading known host keys from"]);
}
