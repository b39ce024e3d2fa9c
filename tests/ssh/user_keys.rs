//! Logging in: every kind of key, and what is said when none works.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kubewright::cluster::Host;
use kubewright::remote::{Connector, Options, RemoteError};

use crate::command::{command, run};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::tools::{Answers, error, host, key, known, public, says};

fn allow(server: &Server, public_keys: &[String]) {
    fs::write(server.path().join("authorized_keys"), public_keys.join("\n")).unwrap();
}

fn with_keys(server: &Server, files: &[&Path]) -> Host {
    let mut host = host(server, "root");
    host.ssh.identity_files = files.iter().map(|path| path.to_path_buf()).collect();
    host
}

async fn connects(options: Options, host: &Host) {
    let connection = Connector::new(options).connect(host).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!connection.is_closed());
}

/// An ssh-agent with these keys.
struct KeyAgent(Child, std::path::PathBuf);

impl KeyAgent {
    fn start(directory: &Path, keys: &[&Path]) -> Self {
        Self::with(directory, &[], keys)
    }

    /// With further options of ssh-add.
    fn with(directory: &Path, options: &[&str], keys: &[&Path]) -> Self {
        let socket = directory.join("agent.sock");
        let child = command("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self(child, socket);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !agent.1.exists() {
            assert!(Instant::now() < deadline, "ssh-agent does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        let added =
            command("ssh-add").arg("-q").args(options).args(keys).env("SSH_AUTH_SOCK", &agent.1).status().unwrap();
        assert!(added.success());
        agent
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn every_type_of_key() {
    let server = Server::start();
    for (name, arguments) in [
        ("ed25519", &["-t", "ed25519"][..]),
        ("ecdsa256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("ecdsa-pkcs8", &["-t", "ecdsa", "-m", "PKCS8"]),
    ] {
        let key = key(server.path(), name, arguments);
        allow(&server, &[public(&key)]);
        connects(known(&server), &with_keys(&server, &[&key])).await;
    }
}

#[tokio::test]
async fn rsa_signs_with_sha2() {
    let server = Server::with(&["ed25519"], "PubkeyAcceptedAlgorithms rsa-sha2-512");
    let key = key(server.path(), "rsa", &["-t", "rsa", "-b", "2048"]);
    allow(&server, &[public(&key)]);
    connects(known(&server), &with_keys(&server, &[&key])).await;
}

#[tokio::test]
async fn a_passphrase_is_asked_for_once_for_all_hosts() {
    let server = Server::start();
    for (name, arguments) in [
        ("openssh", &["-t", "ed25519", "-N", "open sesame", "-a", "2"][..]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"]),
        ("pkcs8", &["-t", "ecdsa", "-m", "PKCS8", "-N", "open sesame"]),
    ] {
        let key = key(server.path(), name, arguments);
        allow(&server, &[public(&key)]);
        let answers = Arc::new(Answers::new(&["wrong", "open sesame", "never asked"]));
        let connector = Connector::new(Options { prompt: answers.clone(), ..known(&server) });
        let host = with_keys(&server, &[&key]);
        let all = futures::future::join_all((0..4).map(|_| connector.connect(&host))).await;
        for connection in all {
            connection.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert_eq!(answers.asked.load(Ordering::SeqCst), 2, "{name}");
    }
}

#[tokio::test]
async fn no_passphrase_is_asked_for_a_key_that_the_server_does_not_want() {
    let server = Server::start();
    let locked = key(server.path(), "locked", &["-t", "ed25519", "-N", "secret", "-a", "2"]);
    let answers = Arc::new(Answers::new(&["secret"]));
    let options = Options { prompt: answers.clone(), ..known(&server) };
    connects(options, &with_keys(&server, &[&locked, &server.user_key()])).await;
    assert_eq!(answers.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_terminal_a_locked_key_is_an_error_that_says_so() {
    let server = Server::start();
    let locked = key(server.path(), "locked", &["-t", "ed25519", "-N", "secret", "-a", "2"]);
    allow(&server, &[public(&locked)]);
    let error = error(Connector::new(known(&server)).connect(&with_keys(&server, &[&locked])).await);
    assert!(matches!(error, RemoteError::Authentication(_)));
    says(&error, &["locked: it has a passphrase, and there is no terminal to ask for it on", "ssh-add"]);
}

#[tokio::test]
async fn keys_in_the_agent() {
    let server = Server::start();
    for (name, arguments) in
        [("ed25519", &["-t", "ed25519"][..]), ("rsa", &["-t", "rsa", "-b", "2048"]), ("ecdsa", &["-t", "ecdsa"])]
    {
        let directory = tempfile::tempdir().unwrap();
        let key = key(directory.path(), name, arguments);
        allow(&server, &[public(&key)]);
        let agent = KeyAgent::start(directory.path(), &[&key]);
        // The agent alone has it now.
        fs::remove_file(&key).unwrap();
        let options = Options { auth_socket: Some(agent.1.clone()), ..known(&server) };
        connects(options.clone(), &with_keys(&server, &[])).await;
        // And a public key as identity file means that one.
        connects(options, &with_keys(&server, &[&key.with_extension("pub")])).await;
    }
}

#[tokio::test]
async fn a_key_that_is_constrained_to_a_destination() {
    let server = Server::start();
    let known_here = server.path().join("destinations");
    fs::write(&known_here, format!("right {}\n", server.host_key("ed25519"))).unwrap();
    let stranger = key(server.path(), "stranger", &["-t", "ed25519"]);
    let known_there = server.path().join("elsewhere");
    fs::write(&known_there, format!("wrong {}\n", public(&stranger))).unwrap();
    for (file, name, works) in [(&known_here, "right", true), (&known_there, "wrong", false)] {
        let directory = tempfile::tempdir().unwrap();
        let options = ["-H", file.to_str().unwrap(), "-h", name];
        let agent = KeyAgent::with(directory.path(), &options, &[&server.user_key()]);
        let options = Options { auth_socket: Some(agent.1.clone()), ..known(&server) };
        let mut host = with_keys(&server, &[]);
        host.ssh.host = "127.0.0.1".into();
        let connected = Connector::new(options).connect(&host).await;
        assert_eq!(connected.is_ok(), works, "{name}");
    }
}

#[tokio::test]
async fn a_full_agent_exhausts_the_tries_unless_one_key_is_named() {
    let server = Server::with(&["ed25519"], "MaxAuthTries 3");
    let directory = tempfile::tempdir().unwrap();
    let keys: Vec<_> = (0..5).map(|n| key(directory.path(), &format!("k{n}"), &["-t", "ed25519"])).collect();
    let paths: Vec<&Path> = keys.iter().map(|path| path.as_path()).collect();
    let agent = KeyAgent::start(directory.path(), &paths);
    let options = || Options { auth_socket: Some(agent.1.clone()), ..known(&server) };

    let refused = error(Connector::new(options()).connect(&with_keys(&server, &[])).await);
    assert!(matches!(refused, RemoteError::Authentication(_)), "{refused}");
    says(&refused, &["Too many authentication failures", "ssh.identitiesOnly"]);

    connects(options(), &with_keys(&server, &[&server.user_key()])).await;
    let stranger = key(directory.path(), "stranger", &["-t", "ed25519"]);
    let mut host = with_keys(&server, &[&stranger]);
    host.ssh.identities_only = true;
    let refused = error(Connector::new(options()).connect(&host).await);
    says(&refused, &["none of the keys is accepted", "stranger: refused"]);
    assert!(!refused.to_string().contains("agent"), "{refused}");
}

#[tokio::test]
async fn certificates_of_users() {
    for (name, arguments) in
        [("ed25519", &["-t", "ed25519"][..]), ("rsa", &["-t", "rsa", "-b", "2048"]), ("ecdsa", &["-t", "ecdsa"])]
    {
        let server = Server::with(&["ed25519"], "TrustedUserCAKeys DIR/ca.pub");
        let authority = key(server.path(), "ca", &["-t", "ed25519"]);
        let key = key(server.path(), name, arguments);
        allow(&server, &[]);
        let host = with_keys(&server, &[&key]);
        let refused = error(Connector::new(known(&server)).connect(&host).await);
        assert!(matches!(refused, RemoteError::Authentication(_)), "{refused}");

        let (authority, public) = (authority.to_str().unwrap(), format!("{}.pub", key.display()));
        run("ssh-keygen", &["-q", "-s", authority, "-I", "test", "-n", "root", &public]);
        connects(known(&server), &host).await;

        // The agent offers the certificate that was loaded with the key.
        let agent = KeyAgent::start(server.path(), &[&key]);
        let options = Options { auth_socket: Some(agent.1.clone()), ..known(&server) };
        connects(options, &with_keys(&server, &[])).await;
    }
}

#[tokio::test]
async fn the_wrong_key_is_refused_with_all_that_was_tried() {
    let server = Server::start();
    let wrong = key(server.path(), "wrong", &["-t", "ed25519"]);
    let missing = server.path().join("missing");
    let broken = server.path().join("broken");
    fs::write(&broken, "no key at all").unwrap();
    let mut host = with_keys(&server, &[&wrong, &missing, &broken]);
    let proxy = Proxy::to(server.port).await;
    host.ssh.port = proxy.address.port();
    host.ssh.host_keys = vec![server.host_key("ed25519")];
    let error = error(Connector::new(Options { connect_attempts: 9, ..known(&server) }).connect(&host).await);
    assert!(matches!(error, RemoteError::Authentication(_)));
    says(
        &error,
        &[
            &format!("m1: logging in to root@127.0.0.1:{}: none of the keys is accepted", proxy.address.port()),
            "wrong: refused",
            "missing: there is no such file",
            "broken: it is not a private key",
            "~root/.ssh/authorized_keys",
        ],
    );
    assert_eq!(proxy.accepted(), 1, "a refused login is not tried again");
}

#[tokio::test]
async fn a_server_without_key_logins_is_named() {
    let server = Server::with(&["ed25519"], "PubkeyAuthentication no\nPasswordAuthentication yes");
    let error = error(Connector::new(known(&server)).connect(&host(&server, "root")).await);
    assert!(matches!(error, RemoteError::Authentication(_)));
    says(&error, &["the server takes no keys, only: password", "PubkeyAuthentication"]);
}

#[tokio::test]
async fn a_server_that_wants_more_than_a_key_is_named() {
    let server = Server::with(&["ed25519"], "PasswordAuthentication yes\nAuthenticationMethods publickey,password");
    let error = error(Connector::new(known(&server)).connect(&host(&server, "root")).await);
    assert!(matches!(error, RemoteError::Authentication(_)));
    says(&error, &["was taken, but the server also wants: password"]);
}

#[tokio::test]
async fn usual_keys_and_the_client_configuration_are_found() {
    let server = Server::start();
    let ssh = server.path().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    fs::copy(server.user_key(), ssh.join("id_ecdsa")).unwrap();
    connects(known(&server), &with_keys(&server, &[])).await;

    fs::remove_file(ssh.join("id_ecdsa")).unwrap();
    let config = server.path().join("config");
    let text = format!("Host alias\n HostName 127.0.0.1\n Port {}\n User root\n IdentityFile ~/user\n", server.port);
    fs::write(&config, text).unwrap();
    let mut host = with_keys(&server, &[]);
    (host.ssh.host, host.ssh.port, host.ssh.user) = ("alias".into(), 22, String::new());
    connects(Options { ssh_config: vec![config], ..known(&server) }, &host).await;
}
