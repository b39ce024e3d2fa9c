//! Proves a snapshot the hard way: restores it into a directory of its own, starts a real etcd on it, and reads all of it
//! through that. Nothing that runs is touched; it needs the space of two copies for as long as it takes.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use reqwest::{Certificate, Client};
use serde::Deserialize;
use serde_json::json;
use tokio::process::{Child, Command as Process};

use super::atomic::{self, Attributes};
use super::etcdctl;
use super::probe::chain;
use super::protocol::Failure;
use crate::pki::{Identity, RunAuthority};

/// How long etcd may take to open it, and for one answer.
const STARTING: Duration = Duration::from_secs(180);
const ANSWER: Duration = Duration::from_secs(60);
/// Keys that are read at a time.
const PAGE: u64 = 500;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Revision that etcd says it is at.
    pub revision: u64,
    /// Keys that are there now.
    pub keys: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// Whether etcd's own programs in `programs` run on this machine: those of a cluster image may want libraries of its
/// distribution.
pub async fn programs_run(programs: &Path) -> Result<(), Failure> {
    let what = format!("start etcd from {}", programs.display());
    let hint = "--etcd names a directory with etcd, and etcdutl or etcdctl, that run on this machine";
    let failed = |why: String| Failure::new(what.as_str(), why).hint(hint);
    let tool = etcdctl::unpacker(programs, &what).map_err(|failure| failure.hint(hint))?;
    for (asked, program, version) in [("etcd", programs.join("etcd"), "--version"), ("its tool", tool, "version")] {
        let mut process = Process::new(&program);
        let run = process.arg(version).env("ETCDCTL_API", "3").stdin(Stdio::null()).kill_on_drop(true).output().await;
        let run = run.map_err(|error| match error.kind() {
            // The file is there: it is the loader that is not.
            io::ErrorKind::NotFound if program.exists() => {
                failed(format!("{} needs a loader or libraries that are not here", program.display()))
            }
            _ => failed(format!("{}: {error}", program.display())),
        })?;
        if !run.status.success() {
            return Err(failed(format!("{asked} ends with {}: {}", run.status, String::from_utf8_lossy(&run.stderr))));
        }
    }
    Ok(())
}

/// Proves that the snapshot in `file` is restored to `revision`, with etcd's own programs in `programs`. `scratch` is a
/// directory for what that takes.
pub async fn prove(programs: &Path, file: &Path, scratch: &Path, revision: u64) -> Result<Proof, Failure> {
    let what = "prove the snapshot with a real etcd";
    let failed = |why: String| Failure::new(what, why);
    let private = fs::Permissions::from_mode(0o700);
    let directory = tempfile::Builder::new().prefix("proof-").permissions(private).tempdir_in(scratch);
    let directory = directory.map_err(|error| Failure::writing(what, &error, scratch))?;
    let data = directory.path().join("data");
    let unpack = etcdctl::unpack(programs, file, what)?.arg(format!("--data-dir={}", data.display()));
    let unpacked =
        tokio::task::spawn_blocking(move || unpack.run()).await.map_err(|panic| failed(panic.to_string()))?;
    unpacked.map_err(|error| Failure::command(what, &error))?;
    let etcd = Etcd::start(&programs.join("etcd"), directory.path()).await.map_err(failed)?;
    let proof = etcd.read().await.map_err(failed)?;
    if proof.revision != revision {
        return Err(failed(format!("etcd is at revision {} with it, and it ends at {revision}", proof.revision)));
    }
    Ok(proof)
}

/// A member of its own, on loopback only; it ends with this.
struct Etcd {
    _process: Child,
    client: Client,
    endpoint: String,
}

impl Etcd {
    /// On loopback, where other users and pods of the host's network are, too: it answers nobody but us.
    async fn start(program: &Path, directory: &Path) -> Result<Self, String> {
        let text = |error: io::Error| error.to_string();
        let authority = RunAuthority::new(Timestamp::now()).map_err(|error| error.to_string())?;
        let own = authority.issue("proof", Ipv4Addr::LOCALHOST.into()).map_err(|error| error.to_string())?;
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            let attributes = Attributes { mode: 0o600, owner: None };
            atomic::write(&path, content.as_bytes(), attributes).map(|()| path.display().to_string())
        };
        let ca = file("ca.crt", authority.certificate()).map_err(text)?;
        let certificate = file("own.crt", &own.certificate).map_err(text)?;
        let key = file("own.key", &own.key).map_err(text)?;
        let (endpoint, peer) = (free_url().map_err(text)?, free_url().map_err(text)?);
        let process = Process::new(program)
            .arg(format!("--data-dir={}", directory.join("data").display()))
            .args(["--name=default", "--log-level=error", "--client-cert-auth", "--peer-client-cert-auth"])
            .arg(format!("--listen-client-urls={endpoint}"))
            .arg(format!("--advertise-client-urls={endpoint}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .args(["", "peer-"].map(|of| format!("--{of}trusted-ca-file={ca}")))
            .args(["", "peer-"].map(|of| format!("--{of}cert-file={certificate}")))
            .args(["", "peer-"].map(|of| format!("--{of}key-file={key}")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env_clear()
            .kill_on_drop(true)
            .spawn();
        let mut process = process.map_err(|error| format!("{}: {error}", program.display()))?;
        let client = client(&authority, &own).map_err(|error| chain(&error))?;
        let since = Instant::now();
        loop {
            let health = client.get(format!("{endpoint}/health")).send().await;
            if health.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(Self { _process: process, client, endpoint });
            }
            if let Ok(Some(status)) = process.try_wait() {
                return Err(format!("etcd ended on it at once, with {status}"));
            }
            if since.elapsed() > STARTING {
                return Err(format!("etcd was not well on it after {} s", STARTING.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Every key with its value.
    async fn read(&self) -> Result<Proof, String> {
        let mut proof = Proof { revision: 0, keys: 0, bytes: 0 };
        let mut from = vec![0];
        loop {
            let question =
                json!({"key": BASE64.encode(&from), "range_end": BASE64.encode([0]), "limit": PAGE.to_string()});
            let page: Page = self.ask(&question).await?;
            proof.revision = page.header.revision.parse().map_err(|_| "etcd told no revision".to_owned())?;
            let mut last = None;
            for pair in &page.kvs {
                proof.keys += 1;
                proof.bytes += BASE64.decode(&pair.value).map_err(|error| error.to_string())?.len() as u64;
                last = Some(BASE64.decode(&pair.key).map_err(|error| error.to_string())?);
            }
            match last {
                Some(mut last) if page.more => {
                    last.push(0);
                    from = last;
                }
                _ => return Ok(proof),
            }
        }
    }

    async fn ask(&self, question: &serde_json::Value) -> Result<Page, String> {
        let answer = self.client.post(format!("{}/v3/kv/range", self.endpoint)).json(question).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    header: Header,
    #[serde(default)]
    kvs: Vec<Pair>,
    #[serde(default)]
    more: bool,
}

#[derive(Debug, Deserialize)]
struct Header {
    revision: String,
}

#[derive(Debug, Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
}

fn client(authority: &RunAuthority, own: &Identity) -> reqwest::Result<Client> {
    let trusted = Certificate::from_pem_bundle(authority.certificate().as_bytes())?;
    let identity = reqwest::Identity::from_pem(format!("{}\n{}", own.certificate, own.key).as_bytes())?;
    // HTTP/1.1 alone: etcd serves gRPC and its gateway on one port and tells them apart more simply so.
    let client = Client::builder().no_proxy().http1_only().timeout(ANSWER);
    client.tls_certs_only(trusted).identity(identity).build()
}

/// On a port that was free a moment ago.
fn free_url() -> io::Result<String> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(format!("https://127.0.0.1:{port}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::super::testing_etcd::RealEtcd;
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_real_etcd_reads_what_another_one_has_written() {
        let host = Scripted::new();
        let Some(etcd) = RealEtcd::start(&host, 1).await else { return };
        for number in 0..1200 {
            let key = format!("/registry/{number}");
            super::super::probe::etcd_put(&etcd.machine, &etcd.endpoints[0], &key, b"four").await.unwrap();
        }
        let file = host.at("/snapshot.db");
        let mut stream = crate::etcd::testing::stream(&etcd.endpoints[0], &host).await;
        let mut content = Vec::new();
        while let Some(piece) = stream.next().await.unwrap() {
            content.extend_from_slice(&piece);
        }
        std::fs::write(&file, &content).unwrap();
        let (programs, scratch) = (Path::new("/usr/bin"), host.at("/scratch"));
        std::fs::create_dir(&scratch).unwrap();
        let proof = prove(programs, &file, &scratch, 1201).await.unwrap();
        assert_eq!(proof, Proof { revision: 1201, keys: 1200, bytes: 4800 });
        let wrong = prove(programs, &file, &scratch, 1300).await.unwrap_err().to_string();
        assert!(wrong.contains("at revision 1201"), "{wrong}");
        content[9000] ^= 1;
        std::fs::write(&file, &content).unwrap();
        prove(programs, &file, &scratch, 1201).await.unwrap_err();
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "something is left");
    }
}
