//! Keys, hosts, options, answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kubewright::cluster::{Become, Host, HostName, Jump, Role, SshTarget};
use kubewright::remote::{HostKeyPolicy, Options, Prompt, PromptError, RemoteError, Secret};

use crate::command::run;
use crate::server::Server;

/// Makes a key pair with ssh-keygen and returns its path.
pub(crate) fn key(directory: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = directory.join(name);
    let file = path.to_str().unwrap();
    let passphrase: &[&str] = if arguments.contains(&"-N") { &[] } else { &["-N", ""] };
    run("ssh-keygen", &[&["-q", "-C", name, "-f", file], passphrase, arguments].concat());
    path
}

/// The public half of the key in `path`.
pub(crate) fn public(path: &Path) -> String {
    std::fs::read_to_string(format!("{}.pub", path.display())).unwrap().trim().to_owned()
}

/// Options that know nothing of the machine that the tests run on. `directory` is the home.
pub(crate) fn options(directory: &Path) -> Options {
    Options {
        known_hosts: vec![directory.join("known_hosts")],
        host_keys: HostKeyPolicy::Strict,
        ssh_config: Vec::new(),
        home: directory.to_owned(),
        local_user: "root".into(),
        auth_socket: None,
        prompt: Arc::new(Answers::new(&[])),
        connect_timeout: Duration::from_secs(20),
        connect_attempts: 1,
        start_timeout: Duration::from_secs(60),
        ..Options::default()
    }
}

/// Options of somebody who knows `server` and may log in to it.
pub(crate) fn known(server: &Server) -> Options {
    let options = options(server.path());
    std::fs::write(&options.known_hosts[0], server.known_hosts_line()).unwrap();
    options
}

/// The host that `server` is, for a login as `user` with the server's own key.
pub(crate) fn host(server: &Server, user: &str) -> Host {
    Host {
        name: HostName::parse("m1").unwrap(),
        address: "127.0.0.1".parse().unwrap(),
        roles: [Role::Worker].into_iter().collect(),
        idc: None,
        rack: None,
        labels: Default::default(),
        taints: Vec::new(),
        kernel: kubewright::cluster::Kernel::default(),
        services: kubewright::cluster::Services::default(),
        disks: Vec::new(),
        ssh: SshTarget {
            host: "127.0.0.1".into(),
            port: server.port,
            user: user.into(),
            identity_files: vec![server.user_key()],
            identities_only: false,
            become_root: Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        },
    }
}

/// `server` on the way to another.
pub(crate) fn jump(server: &Server) -> Jump {
    Jump { user: "root".into(), host: "127.0.0.1".into(), port: server.port, host_keys: Vec::new() }
}

/// Answers prepared for questions; counts the questions. Without answers it is like a cron job: nobody there.
pub(crate) struct Answers {
    answers: Vec<&'static str>,
    pub(crate) asked: AtomicUsize,
}

impl Answers {
    pub(crate) fn new(answers: &[&'static str]) -> Self {
        Self { answers: answers.to_vec(), asked: AtomicUsize::new(0) }
    }
}

impl Prompt for Answers {
    fn ask(&self, question: &str) -> Result<Secret, PromptError> {
        assert!(question.ends_with(": "), "{question}");
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.get(number).map(|text| Secret::new((*text).to_owned())).ok_or(PromptError::NoTerminal)
    }
}

/// The error of `result`, for types that cannot be printed.
pub(crate) fn error<T>(result: Result<T, RemoteError>) -> RemoteError {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error,
    }
}

/// Asserts that each of `texts` is in what `error` says.
pub(crate) fn says(error: &RemoteError, texts: &[&str]) {
    let message = error.to_string();
    for text in texts {
        assert!(message.contains(text), "{text:?} is not in:\n{message}");
    }
    assert_eq!(error.host(), "m1");
}
