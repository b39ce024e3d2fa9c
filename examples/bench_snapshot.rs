//! Times the way of a snapshot from a member of etcd to the disk, verified, beside `etcdctl snapshot save`, which does not
//! verify; and a verification by itself. Debian's etcd-server and etcd-client; `make bench-snapshot`.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it has measured")]

use std::error::Error;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kubewright::cluster::SnapshotPlace;
use kubewright::etcd::{Identity, MemberClient};
use kubewright::snapshot::{self, Order, Origin, Target};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::process::{Child, Command};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROUNDS: usize = 3;
/// Bytes of one value: etcd takes no request above one and a half MiB.
const VALUE: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        [directory, mebibytes] => bench(Path::new(directory), mebibytes.parse()?).await,
        ["save", directory, address] => save(Path::new(directory), address.parse()?).await,
        _ => Err("bench_snapshot DIR MIB".into()),
    }
}

async fn bench(directory: &Path, mebibytes: usize) -> Result<()> {
    let (_etcd, address) = start(directory).await?;
    fill(directory, address, mebibytes).await?;
    let own = std::env::current_exe()?;
    let (mut theirs, mut ours, mut verified, mut most) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let file = directory.join("etcdctl.db");
        let _ = fs::remove_file(&file);
        let began = Instant::now();
        let saved = etcdctl(directory, address).args(["snapshot", "save"]).arg(&file).output().await?;
        theirs.push(began.elapsed().as_secs_f64());
        ensure(saved.status.success(), &saved.stderr)?;

        let began = Instant::now();
        let saved = Command::new(&own).arg("save").arg(directory).arg(address.to_string()).output().await?;
        ours.push(began.elapsed().as_secs_f64());
        ensure(saved.status.success(), &saved.stderr)?;
        most = most.max(String::from_utf8(saved.stdout)?.trim().parse::<u64>()?);

        let began = Instant::now();
        let whole = snapshot::verify(&File::open(&file)?, fs::metadata(&file)?.len())?;
        verified.push(whole.bytes as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64());
    }
    let size = fs::metadata(directory.join("etcdctl.db"))?.len() >> 20;
    let median = |figures: &mut Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures[ROUNDS / 2]
    };
    let (theirs, ours, verified) = (median(&mut theirs), median(&mut ours), median(&mut verified));
    println!("{size} MiB, medians of {ROUNDS} rounds");
    println!("etcdctl snapshot save            {theirs:.2} s");
    println!(
        "kubewright, verified             {ours:.2} s, {:.2} times as fast, {} MiB of memory at most",
        theirs / ours,
        most >> 10
    );
    println!("verification alone               {verified:.0} MiB/s");
    Ok(())
}

fn ensure(good: bool, why: &[u8]) -> Result<()> {
    if good { Ok(()) } else { Err(String::from_utf8_lossy(why).into_owned().into()) }
}

/// One snapshot into the directory; prints the most memory that it took, in KiB.
async fn save(directory: &Path, address: SocketAddr) -> Result<()> {
    let identity = identity(directory)?;
    let place = SnapshotPlace::Directory(directory.join("kept"));
    let targets = [Target::open(&place)?];
    let scratch = snapshot::scratch();
    let order = Order { targets: &targets, recipients: &[], pki: None, keep: None, scratch: &scratch };
    let text = |text: &str| text.to_owned();
    let origin = Origin {
        cluster: text("bench"),
        member: text("m1"),
        taken: jiff::Timestamp::now(),
        etcd: text("-"),
        kubernetes: text("-"),
        image: text("-"),
        kubewright: text("-"),
        ca: None,
    };
    let client = MemberClient::connect(address, "127.0.0.1", &identity).await?;
    let mut stream = client.snapshot().await?;
    let taken = snapshot::receive(&mut stream, &order, &origin, 0, 1).await?;
    let delivered = snapshot::deliver(taken, origin, Vec::new(), &order).await?;
    if let Some((what, error)) = delivered.failed.into_iter().next() {
        return Err(format!("{what}: {error}").into());
    }
    fs::remove_dir_all(directory.join("kept"))?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    println!("{}", peak.trim().trim_end_matches(" kB"));
    Ok(())
}

/// A member with certificates like a cluster's.
async fn start(directory: &Path) -> Result<(Child, SocketAddr)> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(directory.join("ca.crt"), ca.self_signed(&ca_key)?.pem())?;
    let (issuer, key) = (Issuer::new(ca, ca_key), KeyPair::generate()?);
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()])?.signed_by(&key, &issuer)?;
    fs::write(directory.join("own.crt"), certificate.pem())?;
    fs::write(directory.join("own.key"), key.serialize_pem())?;
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let (address, peer) = (free()?, free()?);
    let (client, peer) = (format!("https://{address}"), format!("http://{peer}"));
    let path = |name: &str| directory.join(name);
    let etcd = Command::new("etcd")
        .arg("--data-dir")
        .arg(path("data"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}"), "--quota-backend-bytes", "8589934592"])
        .arg("--client-cert-auth")
        .args([Path::new("--trusted-ca-file"), &path("ca.crt"), Path::new("--cert-file"), &path("own.crt")])
        .args([Path::new("--key-file"), &path("own.key")])
        .stdout(File::create(path("etcd.log"))?)
        .stderr(File::create(path("etcd.err"))?)
        .kill_on_drop(true)
        .spawn()?;
    Ok((etcd, address))
}

fn identity(directory: &Path) -> Result<Identity> {
    let read = |name: &str| fs::read_to_string(directory.join(name));
    Ok(Identity { ca: read("ca.crt")?, certificate: read("own.crt")?, key: read("own.key")? })
}

fn etcdctl(directory: &Path, address: SocketAddr) -> Command {
    let path = |name: &str| -> PathBuf { directory.join(name) };
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").arg(format!("--endpoints=https://{address}"));
    command.arg("--cacert").arg(path("ca.crt")).arg("--cert").arg(path("own.crt")).arg("--key").arg(path("own.key"));
    command
}

/// Values that nothing can make smaller, until there are as many MiB of them.
async fn fill(directory: &Path, address: SocketAddr, mebibytes: usize) -> Result<()> {
    let pem = [fs::read(directory.join("own.crt"))?, fs::read(directory.join("own.key"))?].concat();
    let client = reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&fs::read(directory.join("ca.crt"))?)?)
        .identity(reqwest::Identity::from_pem(&pem)?)
        .build()?;
    let (mut value, since) = (vec![0; VALUE], Instant::now());
    for number in 0..mebibytes {
        aws_lc_rs::rand::fill(&mut value).map_err(|_| "no random numbers")?;
        let question =
            serde_json::json!({"key": BASE64.encode(format!("/registry/{number:06}")), "value": BASE64.encode(&value)});
        loop {
            let put = client.post(format!("https://{address}/v3/kv/put")).json(&question).send().await;
            match put.and_then(reqwest::Response::error_for_status) {
                Ok(_) => break,
                Err(error) if since.elapsed() > Duration::from_secs(1800) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
    Ok(())
}
