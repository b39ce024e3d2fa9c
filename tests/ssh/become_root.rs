//! Becoming root with a real sudo.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kubewright::cluster::{Become, SecretSource};
use kubewright::remote::{Agent, Connector, Options, RemoteError};

use crate::agents::{agent, ask, big_agent};
use crate::server::{PASSWORD, Server};
use crate::tools::{Answers, error, host, known, says};

async fn start(server: &Server, options: Options, user: &str, become_root: Become) -> Result<Agent, RemoteError> {
    let mut host = host(server, user);
    host.ssh.become_root = become_root;
    let connection = Connector::new(options).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
    // Big enough to notice when sudo, or its pty, gets in the way of the bytes.
    connection.agent(&big_agent(3 << 20)).await
}

fn password(server: &Server, text: &str) -> Become {
    let file = server.path().join("password");
    fs::write(&file, text).unwrap();
    Become::Sudo { password: Some(SecretSource::File(file)) }
}

const SILENT: Become = Become::Sudo { password: None };

async fn is_root(agent: Result<Agent, RemoteError>) {
    let mut agent = agent.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

async fn fails(server: &Server, user: &str, become_root: Become, texts: &[&str]) {
    let error = error(start(server, known(server), user, become_root).await);
    assert!(matches!(error, RemoteError::Become(_)), "{error}");
    says(&error, &[&format!("m1: becoming root as {user}: ")]);
    says(&error, texts);
    assert!(!error.to_string().contains(PASSWORD));
    assert!(!server.var_lib().join("kubewright").exists(), "something was written without being root");
}

#[tokio::test]
async fn sudo_without_a_password() {
    let server = Server::start();
    is_root(start(&server, known(&server), "free", SILENT).await).await;
}

#[tokio::test]
async fn sudo_with_a_password() {
    let server = Server::start();
    is_root(start(&server, known(&server), "ops", password(&server, "correct horse\n")).await).await;
    // A password where none is asked for must not end up in the agent's input.
    is_root(start(&server, known(&server), "free", password(&server, "correct horse\n")).await).await;
}

#[tokio::test]
async fn the_password_is_in_no_argument_and_no_environment() {
    let server = Server::start();
    let mut host = host(&server, "ops");
    host.ssh.become_root = password(&server, PASSWORD);
    let connection = Connector::new(known(&server)).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
    let _agent = connection.agent(&agent()).await.unwrap_or_else(|error| panic!("{error}"));
    let mut seen = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(process.path().join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!text.contains(PASSWORD), "{text}");
            seen += usize::from(file == "cmdline" && text.contains("password: "));
        }
    }
    assert!(seen > 0, "sudo itself should have been among the processes");
}

#[tokio::test]
async fn one_question_for_many_hosts() {
    let server = Server::start();
    let answers = Arc::new(Answers::new(&[PASSWORD]));
    let connector = Connector::new(Options { prompt: answers.clone(), ..known(&server) });
    let mut host = host(&server, "ops");
    host.ssh.become_root = Become::Sudo { password: Some(SecretSource::Prompt) };
    for _ in 0..2 {
        let connection = connector.connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
        is_root(connection.agent(&agent()).await).await;
    }
    assert_eq!(answers.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_wrong_password_is_an_error_at_once() {
    let server = Server::start();
    fails(&server, "ops", password(&server, "battery staple"), &["the password is wrong", "ssh.become"]).await;
}

#[tokio::test]
async fn sudo_that_wants_a_password_nobody_has() {
    let server = Server::start();
    fails(&server, "ops", SILENT, &["sudo asks for a password and the inventory names none", "NOPASSWD"]).await;
    let prompt = Become::Sudo { password: Some(SecretSource::Prompt) };
    fails(&server, "ops", prompt, &["there is no terminal to ask for it on"]).await;
    let missing = Become::Sudo { password: Some(SecretSource::File("/nowhere/password".into())) };
    fails(&server, "ops", missing, &["the file /nowhere/password with the password"]).await;
    let unset = Become::Sudo { password: Some(SecretSource::Environment("KUBEWRIGHT_TEST_UNSET".into())) };
    fails(&server, "ops", unset, &["the environment variable KUBEWRIGHT_TEST_UNSET"]).await;
}

#[tokio::test]
async fn a_user_who_may_not() {
    let server = Server::start();
    fails(&server, "plain", password(&server, PASSWORD), &["may not become root", "sudoers"]).await;
}

#[tokio::test]
async fn a_sudo_that_insists_on_a_terminal() {
    let server = Server::start();
    fails(&server, "tty", SILENT, &["requiretty", "Defaults:USER !requiretty"]).await;
}

#[tokio::test]
async fn a_host_without_sudo() {
    let server = Server::start();
    fails(&server, "without", SILENT, &["there is no sudo on the host", "install sudo"]).await;
}

#[tokio::test]
async fn a_login_that_is_not_root_although_the_inventory_says_so() {
    let server = Server::start();
    fails(&server, "plain", Become::Root, &["the login user is plain", "ssh.become: sudo"]).await;
}

#[tokio::test]
async fn root_needs_no_sudo() {
    let server = Server::start();
    fs::write(server.home("root").join(".bashrc"), format!("PATH={}/sh-only\n", server.path().display())).unwrap();
    is_root(start(&server, known(&server), "root", SILENT).await).await;
}
