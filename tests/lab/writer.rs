//! Writes keys to etcd at a steady pace, for scenarios: `writer RATE CA CERTIFICATE KEY ENDPOINT...`. Ends with its input;
//! then it reads back every key whose write was acknowledged, and tells what it found.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program of the tests")]

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const PREFIX: &str = "/scenario/";
/// Writes that may be under way.
const WIDTH: usize = 64;
const PAGE: usize = 1000;

struct Members {
    client: reqwest::Client,
    endpoints: Vec<String>,
    current: AtomicUsize,
}

impl Members {
    /// Asks the member that answered last, then the others.
    async fn ask(&self, path: &str, question: &Value) -> Option<Value> {
        for attempt in 0..self.endpoints.len() {
            let index = (self.current.load(Ordering::Relaxed) + attempt) % self.endpoints.len();
            let url = format!("{}{path}", self.endpoints[index]);
            if let Ok(answer) = self.client.post(url).json(question).send().await
                && answer.status().is_success()
                && let Ok(answer) = answer.json().await
            {
                self.current.store(index, Ordering::Relaxed);
                return Some(answer);
            }
        }
        None
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rate, ca, certificate, key, endpoints @ ..] = arguments.as_slice() else {
        panic!("RATE CA CERTIFICATE KEY …")
    };
    let file = |path: &String| std::fs::read(path).unwrap();
    let identity = reqwest::Identity::from_pem(&[file(certificate), file(key)].concat()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&file(ca)).unwrap())
        .identity(identity)
        .no_proxy()
        .connect_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let members = Arc::new(Members { client, endpoints: endpoints.to_vec(), current: AtomicUsize::new(0) });
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ended.store(true, Ordering::Relaxed);
    });
    let (acknowledged, failed) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicUsize::new(0)));
    let (width, began) = (Arc::new(Semaphore::new(WIDTH)), std::time::Instant::now());
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate.parse::<f64>().unwrap()));
    let mut number = 0_usize;
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        let permit = width.clone().acquire_owned().await.unwrap();
        let (members, acknowledged, failed) = (members.clone(), acknowledged.clone(), failed.clone());
        tokio::spawn(async move {
            let key = BASE64.encode(format!("{PREFIX}{number:08}"));
            let question = json!({"key": key, "value": BASE64.encode(number.to_string())});
            match members.ask("/v3/kv/put", &question).await {
                Some(_) => drop(acknowledged.lock().unwrap().insert(number)),
                None => drop(failed.fetch_add(1, Ordering::Relaxed)),
            }
            drop(permit);
        });
        number += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let _all = width.acquire_many(u32::try_from(WIDTH).unwrap()).await.unwrap();
    let found = read_back(&members).await;
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    println!(
        "{}",
        json!({"acknowledged": acknowledged.len(), "failed": failed.load(Ordering::Relaxed), "lost": lost.len(),
            "perSecond": acknowledged.len() as f64 / seconds})
    );
}

async fn read_back(members: &Members) -> BTreeSet<usize> {
    let end = BASE64.encode(format!("{PREFIX}~"));
    let (mut found, mut from) = (BTreeSet::new(), format!("{PREFIX}0"));
    loop {
        let question = json!({"key": BASE64.encode(&from), "range_end": end, "limit": PAGE.to_string()});
        let answer = members.ask("/v3/kv/range", &question).await.unwrap_or_else(|| panic!("no member answers"));
        let pairs = answer["kvs"].as_array().cloned().unwrap_or_default();
        for pair in &pairs {
            let text = |field: &str| String::from_utf8(BASE64.decode(pair[field].as_str().unwrap()).unwrap()).unwrap();
            let number: usize = text("value").parse().unwrap();
            assert_eq!(text("key"), format!("{PREFIX}{number:08}"));
            found.insert(number);
            from = format!("{PREFIX}{number:08}\0");
        }
        if pairs.len() < PAGE {
            return found;
        }
    }
}
