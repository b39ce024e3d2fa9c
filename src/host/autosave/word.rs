//! Tells whom the inventory names of a turn that failed, and of the first good one after it.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::command::Command;
use super::super::probe::chain;
use super::super::protocol::Failure;
use super::Saves;
use crate::snapshot::Schedule;

/// How long a listener may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells it, where there is something to tell; what could not be told is a failure as well.
pub(super) async fn spread(schedule: &Schedule, saves: &Saves) -> Vec<Failure> {
    let failed = !saves.failures.is_empty();
    if !failed && !saves.failed_before {
        return Vec::new();
    }
    let word = json!({
        "event": if failed { "etcd-snapshot-failed" } else { "etcd-snapshot-recovered" },
        "cluster": schedule.cluster,
        "host": schedule.host,
        "failures": saves.failures,
        "places": saves.places,
    });
    let mut failures = Vec::new();
    if let Some(url) = &schedule.webhook {
        failures.extend(post(url, &word).await.err().map(|why| Failure::new(format!("tell {url}"), why)));
    }
    if let [program, arguments @ ..] = schedule.command.as_slice() {
        let (what, command, word) = (format!("run {program}"), Command::new(program), word.to_string());
        let command = command.args(arguments.iter().cloned()).deadline(PATIENCE);
        let ran = tokio::task::spawn_blocking(move || command.feed(&mut word.as_bytes())).await;
        let why = match ran {
            Ok(ran) => ran.err().map(|error| error.reason()),
            Err(panic) => Some(panic.to_string()),
        };
        failures.extend(why.map(|why| Failure::new(what, why)));
    }
    failures
}

async fn post(url: &str, word: &Value) -> Result<(), String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(|error| chain(&error))?;
    let answer = client.post(url).json(word).send().await.map_err(|error| chain(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
}
