//! A real etcd on loopback for tests, with certificates like a cluster's: Debian's etcd-server and etcd-client. Where
//! they are not installed, there is nothing to try.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::process::{Child, Command};

use super::etcdctl::CA;
use super::machine::Machine;
use super::probe::{Listeners, probe};
use super::protocol::{EtcdMember, Probe, Probed};
use super::root::Root;
use super::system::Live;
use super::testing::Scripted;

const SERVER: &str = "/usr/bin/etcd";
const CLIENT: &str = "/usr/bin/etcdctl";

/// Members that run until this is dropped.
pub(crate) struct RealEtcd {
    /// The host that all of them are on, with real commands.
    pub(super) machine: Machine,
    /// Client URLs, by member.
    pub(crate) endpoints: Vec<String>,
    processes: Vec<Child>,
}

impl RealEtcd {
    /// Starts `members` of them on `host`, and waits for their leader.
    pub(crate) async fn start(host: &Scripted, members: usize) -> Option<Self> {
        Self::start_with(host, members, &[]).await
    }

    /// The same, with more flags.
    pub(crate) async fn start_with(host: &Scripted, members: usize, flags: &[&str]) -> Option<Self> {
        if !Path::new(SERVER).exists() || !Path::new(CLIENT).exists() {
            return None;
        }
        certificates(host);
        host.put("/etc/systemd/system/etcd.service", "ExecStart=/opt/kubewright/etcd/3.4.23/bin/etcd\n");
        let client = host.at("/opt/kubewright/etcd/3.4.23/bin/etcdctl");
        std::fs::create_dir_all(client.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(CLIENT, client).unwrap();

        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let urls = |scheme: &str| (0..members).map(|_| format!("{scheme}://127.0.0.1:{}", free())).collect::<Vec<_>>();
        let (endpoints, peers) = (urls("https"), urls("http"));
        let cluster: Vec<String> = peers.iter().enumerate().map(|(index, peer)| format!("m{index}={peer}")).collect();
        let file = |name: &str| host.at(&format!("/etc/kubernetes/pki/etcd/{name}")).display().to_string();
        let start = |index: usize| {
            let (client, peer) = (endpoints[index].as_str(), peers[index].as_str());
            let data = host.at(&format!("/var/lib/etcd/{index}")).display().to_string();
            Command::new(SERVER)
                .args(["--name", &format!("m{index}"), "--data-dir", &data])
                .args(["--listen-client-urls", client, "--advertise-client-urls", client])
                .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
                .args(["--initial-cluster", &cluster.join(","), "--election-timeout", "3000"])
                .args(["--client-cert-auth", "--trusted-ca-file", &file("ca.crt")])
                .args(["--cert-file", &file("server.crt"), "--key-file", &file("server.key")])
                .args(flags)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        };
        let processes = (0..members).map(start).collect();
        let machine = Machine::new(Root::new(host.directory()), Arc::new(Live::new()));
        let etcd = Self { machine, endpoints, processes };
        for index in 0..members {
            etcd.member(index).await;
        }
        Some(etcd)
    }

    /// What a member tells, once it knows a leader.
    pub(super) async fn member(&self, index: usize) -> EtcdMember {
        let since = Instant::now();
        loop {
            match self.probe(index).await {
                Probed::Etcd(member) if member.leader.is_some() => return member,
                other => assert!(since.elapsed() < Duration::from_secs(120), "{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a member tells now.
    pub(super) async fn probe(&self, index: usize) -> Probed {
        let question = Probe::Etcd { endpoint: self.endpoints[index].clone() };
        probe(&self.machine, &mut Listeners::default(), &question).await.unwrap()
    }

    /// Kills a member.
    pub(super) async fn kill(&mut self, index: usize) {
        self.processes[index].kill().await.unwrap();
    }
}

fn certificates(host: &Scripted) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    host.put(CA, &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    for name in ["server", "healthcheck-client"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
        let directory = "/etc/kubernetes/pki/etcd";
        host.put(&format!("{directory}/{name}.crt"), &params.signed_by(&key, &issuer).unwrap().pem());
        host.put(&format!("{directory}/{name}.key"), &key.serialize_pem());
    }
}
