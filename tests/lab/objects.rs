//! Many objects, and who watches them, for scenarios: `objects create|replace|delete FROM TO [VALUE]`, and `objects watch`,
//! which tells on each line of its input what an informer and a plain list and watch know at that moment.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a program of the tests")]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client, Config, ResourceExt};
use kube_runtime::watcher::Config as Informer;
use kube_runtime::{WatchStreamExt, reflector, watcher};
use serde_json::json;
use sha2::{Digest, Sha256};

const NAMESPACE: &str = "watched";
/// Requests at a time.
const WIDTH: usize = 24;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut config = Config::infer().await.unwrap();
    // A server that has lost its power says nothing more.
    config.read_timeout = Some(Duration::from_secs(60));
    let api: Api<ConfigMap> = Api::namespaced(Client::try_from(config).unwrap(), NAMESPACE);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["watch"] => watch(api).await,
        [verb, from, to, value @ ..] => {
            let value = value.first().copied().unwrap_or_default();
            let numbers = from.parse::<usize>().unwrap()..to.parse().unwrap();
            let work = stream::iter(numbers).map(|number| one(&api, verb, number, value));
            work.buffer_unordered(WIDTH).for_each(|()| async {}).await;
        }
        _ => panic!("create|replace|delete FROM TO [VALUE], or watch"),
    }
}

async fn one(api: &Api<ConfigMap>, verb: &str, number: usize, value: &str) {
    let name = format!("object-{number:05}");
    let mut map = ConfigMap { data: Some([("value".to_owned(), value.to_owned())].into()), ..ConfigMap::default() };
    map.metadata.name = Some(name.clone());
    for attempt in 0.. {
        let done = match verb {
            "create" => api.create(&PostParams::default(), &map).await.map(drop),
            "replace" => api.replace(&name, &PostParams::default(), &map).await.map(drop),
            "delete" => api.delete(&name, &DeleteParams::default()).await.map(drop),
            other => panic!("{other}"),
        };
        match done {
            Ok(()) => return,
            Err(kube::Error::Api(status)) if status.code == 409 && verb == "create" => return,
            Err(error) if attempt < 5 => eprintln!("{name}: {error}; again"),
            Err(error) => panic!("{name}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What is known of each object: its UID and its content.
type Known = BTreeMap<String, (String, String)>;

fn entry(map: &ConfigMap) -> (String, (String, String)) {
    let data = map.data.as_ref().and_then(|data| data.get("value")).cloned().unwrap_or_default();
    (map.name_any(), (map.uid().unwrap_or_default(), data))
}

fn digest(known: &Known) -> serde_json::Value {
    let own: Vec<_> = known.iter().filter(|(name, _)| name.starts_with("object-")).collect();
    let digest = Sha256::digest(format!("{own:?}"));
    json!({"count": own.len(), "digest": digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()})
}

async fn watch(api: Api<ConfigMap>) {
    let (store, writer) = reflector::store();
    let informer = watcher(api.clone(), Informer::default()).default_backoff().reflect(writer);
    tokio::spawn(informer.for_each(|event| async {
        if let Err(error) = event {
            eprintln!("informer: {error}");
        }
    }));
    let plain = Arc::new(Mutex::new(Known::new()));
    tokio::spawn(list_and_watch(api, plain.clone()));
    let lines = tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() {
                return;
            }
            let informer: Known = store.state().iter().map(|map| entry(map)).collect();
            println!("{}", json!({"informer": digest(&informer), "watch": digest(&plain.lock().unwrap())}));
        }
    });
    lines.await.unwrap();
}

/// As client-go does it: a list, then a watch from there on; where that breaks, another one from the last version that was
/// seen, and a new list only when the server says that it is too old.
async fn list_and_watch(api: Api<ConfigMap>, known: Arc<Mutex<Known>>) {
    let mut version: Option<String> = None;
    loop {
        let from = match version.clone() {
            Some(version) => version,
            None => match list(&api).await {
                Ok((all, version)) => {
                    *known.lock().unwrap() = all;
                    version
                }
                Err(error) => {
                    eprintln!("list: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            },
        };
        version = follow(&api, from, &known).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// All of them, page by page, as of the version that comes with them.
async fn list(api: &Api<ConfigMap>) -> kube::Result<(Known, String)> {
    let (mut all, mut parameters) = (Known::new(), ListParams::default().limit(500));
    loop {
        let page = api.list(&parameters).await?;
        all.extend(page.items.iter().map(entry));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok((all, page.metadata.resource_version.unwrap_or_default())),
        }
    }
}

/// The version that was seen last, or nothing where all has to be listed anew.
async fn follow(api: &Api<ConfigMap>, from: String, known: &Mutex<Known>) -> Option<String> {
    let mut version = from;
    let stream = match api.watch(&WatchParams::default(), &version).await {
        Ok(stream) => stream,
        Err(kube::Error::Api(status)) if status.code == 410 => return None,
        Err(_) => return Some(version),
    };
    let mut stream = Box::pin(stream);
    while let Ok(Some(event)) = stream.try_next().await {
        match event {
            WatchEvent::Added(map) | WatchEvent::Modified(map) => {
                version = map.resource_version().unwrap_or(version);
                let (name, what) = entry(&map);
                known.lock().unwrap().insert(name, what);
            }
            WatchEvent::Deleted(map) => {
                version = map.resource_version().unwrap_or(version);
                known.lock().unwrap().remove(&map.name_any());
            }
            WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
            WatchEvent::Error(status) if status.code == 410 => return None,
            WatchEvent::Error(status) => {
                eprintln!("watch: {}", status.message);
                return Some(version);
            }
        }
    }
    Some(version)
}
