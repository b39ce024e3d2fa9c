//! The prober: asks the API and a service ten times a second, as long as something is done to the cluster, and tells
//! afterwards what of it a client has noticed. It runs on a host of the lab as one static program, because there a
//! process per question would cost more than the question.
//!
//! Every request has a connection of its own. Only what fails before the request could be sent (address, connection,
//! TLS) is tried again, and counted; any other failure stands. It ends after `--seconds`; without them with its standard
//! input, or with SIGTERM. Then it prints one JSON object, with `api`, `service` and `dns` as far as they
//! were asked for.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a tool of the tests with a main of its own"
)]

mod prober_dns;
mod prober_report;
mod prober_target;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::UdpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use prober_report::Series;
use prober_target::Target;

/// Asks the API and a service at a steady rate, and prints what came of it as JSON.
#[derive(Debug, Parser)]
struct Options {
    /// Kubeconfig with embedded certificates; asks the API that it names
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Another address of the API than the kubeconfig's
    #[arg(long, value_name = "URL", requires = "kubeconfig")]
    api: Option<String>,
    /// What is read from the API; an object, so that etcd has to answer, too
    #[arg(long, value_name = "PATH", default_value = "/api/v1/namespaces/default")]
    api_path: String,
    /// Address of a service, such as http://10.96.0.20/
    #[arg(long, value_name = "URL", required_unless_present = "kubeconfig")]
    service: Option<String>,
    /// Is a DNS server besides that knows this name, and counts the questions
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = prober_dns::known, requires = "dns_at")]
    dns: Option<prober_dns::Known>,
    /// Where: a server of all addresses would answer from another one than it was asked at
    #[arg(long, value_name = "ADDRESS:PORT")]
    dns_at: Option<SocketAddr>,
    /// Requests per second to each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// How often a request is tried again that could not even be sent
    #[arg(long, value_name = "N", default_value_t = 3)]
    connect_retries: u32,
    /// How long a request may take, retries included
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    timeout: f64,
    /// Ends after this time; without it, when standard input is closed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds: Option<f64>,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.001..=86_400.0).contains(&value) => Ok(value),
        _ => Err(format!("{text:?} is no number of seconds between 0.001 and 86400")),
    }
}

// A host of the lab has one processor, and pays for every thread that is woken.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("prober: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<Value, String> {
    let timeout = Duration::from_secs_f64(options.timeout);
    let mut targets = Vec::new();
    if let Some(path) = &options.kubeconfig {
        let text = std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let api = Target::api(&text, options.api.as_deref(), &options.api_path)
            .map_err(|why| format!("{}: {why}", path.display()))?;
        targets.push(("api", api));
    }
    if let Some(url) = &options.service {
        targets.push(("service", Target::service(url)?));
    }
    let (stop, stopped) = watch::channel(false);
    let began = Instant::now();
    let mut probes = JoinSet::new();
    for (name, target) in targets {
        let target = Arc::new(target.with_limits(timeout, options.connect_retries));
        let every = Duration::from_secs(1) / options.rate;
        let stopped = stopped.clone();
        probes.spawn(async move { (name, target.url(), probe(target, every, stopped).await) });
    }
    let mut dns = JoinSet::new();
    if let (Some(known), Some(address)) = (&options.dns, options.dns_at) {
        let socket = UdpSocket::bind(address).await.map_err(|error| format!("UDP {address}: {error}"))?;
        dns.spawn(prober_dns::serve(socket, known.clone(), stopped.clone()));
    }
    ends(options.seconds).await?;
    stop.send_replace(true);
    let mut report = Map::new();
    while let Some(asked) = dns.join_next().await {
        report.insert("dns".to_owned(), json!(asked.map_err(|error| format!("the DNS server ended early: {error}"))?));
    }
    while let Some(probed) = probes.join_next().await {
        let (name, url, series) = probed.map_err(|error| format!("a probe ended early: {error}"))?;
        report.insert(name.to_owned(), json!({"url": url, "result": series.summary()}));
    }
    report.insert("seconds".to_owned(), json!(began.elapsed().as_secs_f64()));
    Ok(Value::Object(report))
}

/// Asks every so often, whether earlier answers are in or not, until it is stopped; then waits for what is on the way.
async fn probe(target: Arc<Target>, every: Duration, mut stopped: watch::Receiver<bool>) -> Series {
    let mut ticks = tokio::time::interval(every);
    // A host that stood still does not ask for the lost time afterwards.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut series = Series::begin(Instant::now());
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(outcome) = asked.join_next() => series.add(outcome.unwrap()),
            _ = ticks.tick() => {
                let target = target.clone();
                asked.spawn(async move { target.ask().await });
            }
        }
    }
    while let Some(outcome) = asked.join_next().await {
        series.add(outcome.unwrap());
    }
    series.end(Instant::now())
}

/// Waits for the end of the run.
async fn ends(after: Option<f64>) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| format!("waiting for SIGTERM: {error}"))?;
    let over = async {
        match after {
            Some(seconds) => tokio::time::sleep(Duration::from_secs_f64(seconds)).await,
            None => {
                let (mut input, mut ignored) = (tokio::io::stdin(), [0; 64]);
                while matches!(input.read(&mut ignored).await, Ok(1..)) {}
            }
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        () = over => {}
    }
    Ok(())
}
