//! A real etcd and a real API server on loopback, ended with the test.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use kubewright::kube::{Api, KubeError};

use super::certificates::{Authority, Pair, key};
use super::command::command;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) admin: Pair,
    daemons: Vec<Daemon>,
    directory: tempfile::TempDir,
}

/// A process that ends with its handle.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let binaries = binaries();
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let authority = Authority::new();
        let serving = authority.server(&["kubernetes", "localhost"]);
        let service_accounts = key();
        for (name, content) in [
            ("ca.crt", &authority.pem()),
            ("tls.crt", &serving.certificate),
            ("tls.key", &serving.key),
            ("sa.key", &service_accounts.serialize_pem()),
            ("sa.pub", &service_accounts.public_key_pem()),
        ] {
            std::fs::write(at(name), content).unwrap();
        }
        let [client_port, peer_port, port] = free_ports();
        let etcd = start(
            directory.path(),
            &etcd_binary(),
            &[
                format!("--data-dir={}", at("etcd").display()),
                format!("--listen-client-urls=http://127.0.0.1:{client_port}"),
                format!("--advertise-client-urls=http://127.0.0.1:{client_port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
            ],
        );
        let file = |flag: &str, name: &str| format!("--{flag}={}", at(name).display());
        let apiserver = start(
            directory.path(),
            &binaries.join("kube-apiserver"),
            &[
                format!("--etcd-servers=http://127.0.0.1:{client_port}"),
                "--bind-address=127.0.0.1".into(),
                format!("--secure-port={port}"),
                "--endpoint-reconciler-type=none".into(),
                "--service-cluster-ip-range=10.96.0.0/16".into(),
                "--authorization-mode=Node,RBAC".into(),
                "--allow-privileged=true".into(),
                // Nobody makes the tokens that this plugin waits for.
                "--disable-admission-plugins=ServiceAccount".into(),
                "--service-account-issuer=https://kubernetes.default.svc".into(),
                file("service-account-key-file", "sa.pub"),
                file("service-account-signing-key-file", "sa.key"),
                file("client-ca-file", "ca.crt"),
                file("tls-cert-file", "tls.crt"),
                file("tls-private-key-file", "tls.key"),
            ],
        );
        let mut server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            admin: authority.client("kubewright", "system:masters"),
            authority,
            daemons: vec![apiserver, etcd],
            directory,
        };
        server.await_ready().await;
        server
    }

    /// Our own way in.
    pub(crate) async fn api(&self) -> Api {
        self.connect(&self.authority.pem(), &self.admin).await.unwrap()
    }

    pub(crate) async fn connect(&self, ca: &str, pair: &Pair) -> Result<Api, KubeError> {
        Api::connect(self.address, "kubernetes", ca, &pair.certificate, &pair.key).await
    }

    async fn await_ready(&mut self) {
        let start = Instant::now();
        loop {
            let state = match self.connect(&self.authority.pem(), &self.admin).await {
                Ok(api) => api.readyz().await.map(|missing| missing.join(", ")),
                Err(error) => Err(error),
            };
            let problem = match state {
                Ok(missing) if missing.is_empty() => return,
                Ok(missing) => missing,
                Err(error) => error.to_string(),
            };
            let ended = self.daemons.iter_mut().any(|daemon| !matches!(daemon.0.try_wait(), Ok(None)));
            if ended || start.elapsed() > Duration::from_secs(90) {
                let log = std::fs::read_to_string(self.directory.path().join("kube-apiserver.log")).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(20)..].join("\n");
                panic!("the API server ended or is not ready after 90 s: {problem}\n{tail}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn start(directory: &Path, program: &Path, arguments: &[String]) -> Daemon {
    let name = program.file_name().unwrap().to_string_lossy();
    let log = std::fs::File::create(directory.join(format!("{name}.log"))).unwrap();
    let errors = log.try_clone().unwrap();
    let mut command = command(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(log).stderr(errors);
    match command.spawn() {
        Ok(child) => Daemon(child),
        Err(error) => panic!("cannot start {}: {error}", program.display()),
    }
}

/// Where the binaries of Kubernetes are; the specification in `images/debian-12` says how they are made.
fn binaries() -> PathBuf {
    let directory = match std::env::var_os("KUBEWRIGHT_KUBERNETES_BIN") {
        Some(directory) => PathBuf::from(directory),
        None => cache().join("debian-12/v1.20.2"),
    };
    assert!(
        directory.join("kube-apiserver").is_file(),
        "there is no kube-apiserver in {}: build it with images/debian-12/kubernetes.sh, \
         or name a directory that has one in KUBEWRIGHT_KUBERNETES_BIN",
        directory.display()
    );
    directory
}

fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("KUBEWRIGHT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("kubewright")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/kubewright")))
        .unwrap_or_default()
}

fn etcd_binary() -> PathBuf {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|directory| directory.join("etcd"))
        .find(|program| program.is_file())
        .expect("there is no etcd in PATH: install Debian's etcd-server")
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until every one is known, so that they differ.
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
