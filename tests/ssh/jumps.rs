//! Through other hosts.

use kubewright::remote::{Connector, Options, RemoteError};

use crate::agents::{agent, ask, big_agent};
use crate::server::Server;
use crate::tools::{error, host, jump, known, options, says};

/// Options of somebody who knows all of `servers` and whose key is the first one's.
fn knowing(servers: &[&Server]) -> Options {
    let options = options(servers[0].path());
    let lines: String = servers.iter().map(|server| server.known_hosts_line()).collect();
    std::fs::write(&options.known_hosts[0], lines).unwrap();
    for server in &servers[1..] {
        std::fs::copy(servers[0].path().join("authorized_keys"), server.path().join("authorized_keys")).unwrap();
    }
    options
}

#[tokio::test]
async fn one_and_two_jumps() {
    let (near, far, inside) = (Server::start(), Server::start(), Server::start());
    let options = knowing(&[&inside, &near, &far]);
    let mut host = host(&inside, "root");
    for jumps in [vec![jump(&near)], vec![jump(&near), jump(&far)]] {
        host.ssh.jumps = jumps;
        let connection = Connector::new(options.clone()).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
        let mut agent = connection.agent(&agent()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
    }
    assert!(near.log().contains("Accepted publickey") && far.log().contains("Accepted publickey"));
}

#[tokio::test]
async fn an_upload_through_a_jump_arrives_whole() {
    let (near, inside) = (Server::start(), Server::start());
    let options = knowing(&[&inside, &near]);
    let mut host = host(&inside, "root");
    host.ssh.jumps = vec![jump(&near)];
    let connection = Connector::new(options).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
    // More than the window of either session.
    let mut agent = connection.agent(&big_agent(5 << 20)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn every_hop_is_verified() {
    let (near, inside) = (Server::start(), Server::start());
    let mut host = host(&inside, "root");
    host.ssh.jumps = vec![jump(&near)];
    let both = knowing(&[&inside, &near]);
    for (known, stranger) in [(&near, &inside), (&inside, &near)] {
        std::fs::write(&both.known_hosts[0], known.known_hosts_line()).unwrap();
        let error = error(Connector::new(both.clone()).connect(&host).await);
        assert!(matches!(error, RemoteError::HostKey(_)), "{error}");
        says(&error, &[&format!("root@127.0.0.1:{}", stranger.port)]);
        assert_eq!(error.to_string().contains("the jump host"), stranger.port == near.port);
    }
    // Pins of a jump count for the jump.
    std::fs::write(&both.known_hosts[0], inside.known_hosts_line()).unwrap();
    host.ssh.jumps[0].host_keys = vec![near.host_key("ed25519")];
    Connector::new(both).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn what_the_jump_cannot_reach_is_said_by_it() {
    let near = Server::start();
    let mut host = host(&near, "root");
    host.ssh.jumps = vec![jump(&near)];
    host.ssh.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = error(Connector::new(known(&near)).connect(&host).await);
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error}");
    says(&error, &[&format!("127.0.0.1:{} says: Connect failed", near.port), "can it be reached from that host"]);
}

#[tokio::test]
async fn a_jump_that_forbids_forwarding_is_said_so() {
    let near = Server::with(&["ed25519"], "AllowTcpForwarding no");
    let mut host = host(&near, "root");
    host.ssh.jumps = vec![jump(&near)];
    let error = error(Connector::new(known(&near)).connect(&host).await);
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error}");
    says(&error, &["Administratively prohibited", "AllowTcpForwarding"]);
}

#[tokio::test]
async fn many_hosts_through_one_bastion_with_default_limits() {
    let (near, inside) = (Server::with(&["ed25519"], "MaxStartups 10:30:100"), Server::start());
    let options = knowing(&[&inside, &near]);
    let mut host = host(&inside, "root");
    host.ssh.jumps = vec![jump(&near)];
    let connector = Connector::new(options);
    let all = futures::future::join_all((0..24).map(|_| connector.connect(&host))).await;
    let open: Vec<_> = all.into_iter().map(|one| one.unwrap_or_else(|error| panic!("{error}"))).collect();
    assert_eq!(open.len(), 24);
    assert!(!near.log().contains("drop connection"), "{}", near.log());
}

#[tokio::test]
async fn the_client_configuration_names_a_jump() {
    let (near, inside) = (Server::start(), Server::start());
    let options = knowing(&[&inside, &near]);
    let config = inside.path().join("config");
    std::fs::write(&config, format!("Host 127.0.0.1\n ProxyJump root@localhost:{}\n", near.port)).unwrap();
    let mut lines = std::fs::read_to_string(&options.known_hosts[0]).unwrap();
    lines.push_str(&near.known_hosts_line().replace("127.0.0.1", "localhost"));
    std::fs::write(&options.known_hosts[0], lines).unwrap();
    let options = Options { ssh_config: vec![config], ..options };
    Connector::new(options).connect(&host(&inside, "root")).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(near.log().contains("Accepted publickey"));
}
