//! Times the way of blobs to many hosts: `scripts/bench-distribute.sh` makes the hosts and runs this on their bastion.
//!
//! Called as `agent` it is the agent, so that it brings itself to the hosts as kubewright does.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it has measured")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use kubewright::cluster::{
    Become, Distribution, DistributionMode, Host, HostName, Kernel, Labels, Role, Services, SshTarget,
};
use kubewright::host::agent;
use kubewright::image::Blob;
use kubewright::remote::{Connector, HostKeyPolicy, Options};
use kubewright::report::{Event, Events};
use kubewright::run::Fleet;
use kubewright::run::distribute::Job;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        ["agent"] => {
            let stdin = tokio::io::BufReader::with_capacity(1 << 20, tokio::io::stdin());
            runtime.block_on(agent::serve("/".into(), stdin, tokio::io::stdout()));
            std::process::exit(0)
        }
        ["make", directory, count, bytes] => make(Path::new(directory), count.parse()?, bytes.parse()?),
        ["run", directory, mode, hosts @ ..] => runtime.block_on(run(Path::new(directory), mode, hosts)),
        _ => Err("bench_distribute make DIR COUNT BYTES | run DIR push|peers RACK=ADDRESS…".into()),
    }
}

/// Makes `count` blobs of `bytes` in total, of sizes as different as those of an image's layers.
fn make(directory: &Path, count: u64, bytes: u64) -> Result<(), Box<dyn Error>> {
    let weights: u64 = (1..=count).sum();
    for number in 1..=count {
        let mut content = vec![0; usize::try_from(bytes * number / weights)?];
        aws_lc_rs::rand::fill(&mut content).map_err(|_| "there is no randomness")?;
        let sha256: String = digest(&SHA256, &content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        fs::create_dir_all(directory.join("blobs"))?;
        fs::write(directory.join("blobs").join(sha256), content)?;
    }
    Ok(())
}

/// Brings all blobs to all hosts, and prints the seconds that it took.
async fn run(directory: &Path, mode: &str, hosts: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut blobs = BTreeSet::new();
    for entry in fs::read_dir(directory.join("blobs"))? {
        let entry = entry?;
        let sha256 = entry.file_name().to_string_lossy().into_owned();
        blobs.insert(Blob { sha256, size: entry.metadata()?.len() });
    }
    let hosts: Vec<Host> = hosts.iter().map(|host| parse(host, directory)).collect::<Result<_, _>>()?;
    let options = Options {
        known_hosts: vec![directory.join("known_hosts")],
        host_keys: HostKeyPolicy::AcceptNew,
        ssh_config: Vec::new(),
        auth_socket: None,
        ..Options::default()
    };
    let (fleet, failed) = Fleet::connect(&hosts, &Connector::new(options), 64, &Events::channel().0).await;
    if let Some(failed) = failed.first() {
        return Err(failed.to_string().into());
    }
    let mode = if mode == "push" { DistributionMode::Push } else { DistributionMode::Peers };
    let settings = Distribution { mode, ..Distribution::default() };
    let (events, mut receiver) = Events::channel();
    let blob_path = |blob: &Blob| -> PathBuf { directory.join("blobs").join(&blob.sha256) };
    let job = Job {
        fleet: &fleet,
        blob_path: &blob_path,
        settings: &settings,
        registry: None,
        stage: "distribute",
        events: &events,
    };
    let needs: BTreeMap<HostName, BTreeSet<Blob>> =
        hosts.iter().map(|host| (host.name.clone(), blobs.clone())).collect();
    let began = Instant::now();
    let outcomes = job.run(&needs).await;
    let took = began.elapsed();
    if let Some(failed) = outcomes.failed.first() {
        return Err(failed.to_string().into());
    }
    let mut told = String::new();
    while let Ok(event) = receiver.try_recv() {
        if let Event::Note { text } = event {
            told = text;
        }
    }
    println!("{:.2} {told}", took.as_secs_f64());
    Ok(())
}

/// A host from `RACK=ADDRESS`.
fn parse(text: &str, directory: &Path) -> Result<Host, Box<dyn Error>> {
    let (rack, address) = text.split_once('=').ok_or("a host is RACK=ADDRESS")?;
    let address: IpAddr = address.parse()?;
    Ok(Host {
        name: HostName::parse(&format!("n{}", address.to_string().replace('.', "-"))).map_err(|e| e.to_string())?,
        address,
        roles: [Role::Worker].into_iter().collect(),
        idc: None,
        rack: Some(rack.to_owned()),
        labels: Labels::new(),
        taints: Vec::new(),
        kernel: Kernel::default(),
        services: Services::default(),
        disks: Vec::new(),
        ssh: SshTarget {
            host: address.to_string(),
            port: 22,
            user: "root".to_owned(),
            identity_files: vec![directory.join("key")],
            identities_only: true,
            become_root: Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        },
    })
}
