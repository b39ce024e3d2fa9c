//! Bringing the agent to a host, and starting it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use kubewright::cluster::Become;
use kubewright::remote::{Agent, AgentBinary, Connection, Connector, Options, RemoteError};

use crate::agents::{agent, agent_that, ask, big_agent};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::tools::{error, host, known, says};

async fn connect(server: &Server, options: Options, user: &str) -> Connection {
    let mut host = host(server, user);
    if user != "root" {
        host.ssh.become_root = Become::Sudo { password: None };
    }
    Connector::new(options).connect(&host).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn start(server: &Server, binary: &AgentBinary) -> Result<Agent, RemoteError> {
    connect(server, known(server), "root").await.agent(binary).await
}

fn place(server: &Server, binary: &AgentBinary) -> PathBuf {
    server.var_lib().join("kubewright/bin").join(binary.sha256()).join("kubewright")
}

/// Number of the file: another one when it was written again.
fn inode(path: &PathBuf) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap())
}

#[tokio::test]
async fn the_agent_is_uploaded_once_whole_and_executable() {
    let server = Server::start();
    let binary = big_agent(5 << 20);
    let connection = connect(&server, known(&server), "root").await;
    let mut agent = connection.agent(&binary).await.unwrap_or_else(|error| panic!("{error}"));
    let path = place(&server, &binary);
    assert_eq!(AgentBinary::read(&path).unwrap().sha256(), binary.sha256());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(
        ask(&mut agent, "file").await.unwrap(),
        format!("/var/lib/kubewright/bin/{}/kubewright", binary.sha256())
    );
    assert!(ask(&mut agent, "environment").await.unwrap().starts_with("LC_ALL=C PATH=/usr/sbin:"));
    agent.close().await;

    let first = inode(&path);
    let again = connection.agent(&binary).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(inode(&path), first);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "something was left behind");
    again.close().await;
}

#[tokio::test]
async fn a_truncated_or_damaged_binary_is_replaced() {
    let server = Server::start();
    let binary = agent();
    drop(start(&server, &binary).await.unwrap_or_else(|error| panic!("{error}")));
    let path = place(&server, &binary);
    let good = fs::read(&path).unwrap();

    fs::write(&path, &good[..100]).unwrap();
    drop(start(&server, &binary).await.unwrap_or_else(|error| panic!("{error}")));
    assert_eq!(fs::read(&path).unwrap(), good);

    // The right size, but it does not run; and one that runs, but is another program.
    for damaged in [vec![b'x'; good.len()], String::from_utf8(good.clone()).unwrap().replace("caf", "bar").into_bytes()]
    {
        fs::write(&path, damaged).unwrap();
        drop(start(&server, &binary).await.unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[tokio::test]
async fn a_killed_upload_leaves_nothing_that_is_trusted() {
    let server = Server::start();
    let binary = big_agent(8 << 20);
    let proxy = Proxy::to(server.port).await;
    let mut through = host(&server, "root");
    through.ssh.port = proxy.address.port();
    through.ssh.host_keys = vec![server.host_key("ed25519")];
    let connection = Connector::new(known(&server)).connect(&through).await.unwrap_or_else(|error| panic!("{error}"));
    let directory = place(&server, &binary).parent().unwrap().to_owned();
    proxy.die_after(3 << 20);
    let seen = async {
        // Some bytes have arrived; more than half of them never will.
        loop {
            let partial = fs::read_dir(&directory).into_iter().flatten().flatten().next();
            if partial.is_some_and(|partial| partial.metadata().is_ok_and(|data| data.len() > 0)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        started = connection.agent(&binary) => panic!("it cannot have ended: {}", started.is_ok()),
        () = seen => {}
    }
    drop((connection, proxy));
    // And what the worst crash would leave: the file of a process that is gone.
    fs::write(directory.join(".partial.999999"), "half").unwrap();

    let mut agent = start(&server, &binary).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
    assert_eq!(AgentBinary::read(&directory.join("kubewright")).unwrap().sha256(), binary.sha256());
    assert!(!directory.join(".partial.999999").exists());
}

#[tokio::test]
async fn two_uploads_at_once_do_not_disturb_each_other() {
    let server = Server::start();
    let binary = big_agent(8 << 20);
    let (one, two) = tokio::join!(start(&server, &binary), start(&server, &binary));
    for agent in [one, two] {
        let mut agent = agent.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
    }
}

#[tokio::test]
async fn noise_of_login_shells_is_ignored() {
    let server = Server::start();
    let noise = "echo 'Welcome to the machine!'\nprintf 'no newline'\nprintf '\\377\\376 \\0 rubbish' >&2\nset -x\n";
    fs::write(server.home("root").join(".bashrc"), noise).unwrap();
    let mut agent = start(&server, &agent()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn a_login_shell_that_is_no_posix_shell() {
    let server = Server::start();
    fs::write(server.home("csh").join(".cshrc"), "echo welcome to csh\n").unwrap();
    let connection = connect(&server, known(&server), "csh").await;
    let mut agent = connection.agent(&agent()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn a_login_without_a_shell_says_so() {
    let server = Server::start();
    let connection = connect(&server, known(&server), "closed").await;
    let error = error(connection.agent(&agent()).await);
    assert!(matches!(error, RemoteError::Become(_)), "{error}");
    says(&error, &["it ended with status 1", "This account is currently not available"]);
}

#[tokio::test]
async fn a_forced_command_says_so() {
    let server = Server::with(&["ed25519"], "ForceCommand echo no commands here");
    let error = error(start(&server, &agent()).await);
    assert!(matches!(error, RemoteError::Start(_)), "{error}");
    says(&error, &["running a command in the login shell: it ended with status 0", "no commands here"]);
}

#[tokio::test]
async fn a_shell_that_waits_for_ever_is_given_up() {
    let server = Server::start();
    fs::write(server.home("root").join(".bashrc"), "echo hold the line\nsleep 600\n").unwrap();
    let options = Options { start_timeout: Duration::from_secs(1), ..known(&server) };
    let error = error(connect(&server, options, "root").await.agent(&agent()).await);
    assert!(matches!(error, RemoteError::Timeout(_)), "{error}");
    says(&error, &["nothing happened for 1 s", "hold the line"]);
}

#[tokio::test]
async fn agents_that_do_not_start_say_why() {
    let server = Server::start();
    let options = Options { start_timeout: Duration::from_secs(2), ..known(&server) };
    let connection = connect(&server, options, "root").await;
    for (mode, texts) in [
        ("leaves", &["it ended with status 3", "I cannot"][..]),
        ("lies", &["it says that it is 0000"]),
        ("babbles", &["does not speak this protocol"]),
        ("waits", &["it said nothing for 2 s", "agent \u{fffd}\u{fffd} starts"]),
    ] {
        let error = error(connection.agent(&agent_that(mode)).await);
        assert!(matches!(error, RemoteError::Start(_)), "{error}");
        says(&error, &["m1: starting the agent: "]);
        says(&error, texts);
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let server = Server::start();
    fs::write(server.var_lib().join("kubewright"), "in the way").unwrap();
    let error = error(start(&server, &agent()).await);
    assert!(matches!(error, RemoteError::Start(_)), "{error}");
    says(&error, &["cannot make the directory /var/lib/kubewright/bin/", "read-only or full?"]);
}

#[tokio::test]
async fn sshd_that_opens_no_more_sessions_says_so() {
    let server = Server::with(&["ed25519"], "MaxSessions 1");
    let connection = connect(&server, known(&server), "root").await;
    let mut first = connection.agent(&agent()).await.unwrap_or_else(|error| panic!("{error}"));
    let error = error(connection.agent(&agent()).await);
    assert!(matches!(error, RemoteError::Start(_)), "{error}");
    says(&error, &["sshd opens no further session", "MaxSessions"]);
    assert_eq!(ask(&mut first, "whoami").await.unwrap(), "0 0");
}
