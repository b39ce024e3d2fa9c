//! What a host remembers of the snapshots that it has saved, and what it tells monitoring of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::atomic::{self, Attributes};
use super::super::machine::{Machine, STATE};
use super::super::protocol::Failure;
use crate::snapshot::{Delivered, Schedule};

/// All of it, place by place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saves {
    /// When the last turn that came to this host ended.
    pub ended: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// What failed in it; nothing in a good one.
    pub failures: Vec<String>,
    /// What failed in the one before.
    pub failed_before: bool,
    /// When a snapshot was last proven with a real etcd.
    #[serde(default)]
    pub proved: Option<Timestamp>,
    /// The last good snapshot of each place.
    pub places: BTreeMap<String, PlaceSaves>,
}

/// The last good snapshot that this host has put into a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceSaves {
    /// When it was taken.
    pub taken: Timestamp,
    /// Where it is.
    pub location: String,
    /// Latest revision in it.
    pub revision: u64,
    /// Size in bytes.
    pub bytes: u64,
}

const FILE: &str = "saves.json";
const METRICS: &str = "/var/lib/kubewright/metrics";
const METRICS_FILE: &str = "etcd_snapshots.prom";

/// What this host remembers; nothing before its first turn.
pub(in crate::host) fn read(machine: &Machine) -> Result<Option<Saves>, Failure> {
    let path = format!("{STATE}/snapshots/{FILE}");
    let Some(text) = machine.text(&path)? else { return Ok(None) };
    // What a power cut left of it is worth as much as nothing: the next turn writes it anew.
    Ok(serde_json::from_str(&text).ok())
}

/// Remembers a turn.
pub(super) fn note(
    machine: &Machine,
    schedule: &Schedule,
    delivered: &Delivered,
    failures: &[Failure],
    proved: Option<Timestamp>,
    took: Duration,
) -> Result<Saves, Failure> {
    let before = read(machine)?.unwrap_or_default();
    let mut saves = Saves {
        ended: Some(Timestamp::now()),
        took: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        failures: failures.iter().map(ToString::to_string).collect(),
        failed_before: !before.failures.is_empty(),
        proved: proved.or(before.proved),
        places: before.places,
    };
    let wanted: Vec<String> = schedule.places.iter().map(ToString::to_string).collect();
    saves.places.retain(|place, _| wanted.contains(place));
    for kept in delivered.kept.iter().filter(|kept| kept.manifest.is_good()) {
        let place = wanted.iter().find(|place| kept.location.strip_prefix(place.as_str()).is_some());
        let manifest = &kept.manifest;
        let (taken, location, revision, bytes) =
            (manifest.origin.taken, kept.location.clone(), manifest.revision, manifest.bytes);
        saves.places.extend(place.map(|place| (place.clone(), PlaceSaves { taken, location, revision, bytes })));
    }
    let text = serde_json::to_vec_pretty(&saves).map_err(|error| Failure::new("save etcd", error))?;
    write(machine, &format!("{STATE}/snapshots"), FILE, &text, 0o600)?;
    // Read by an exporter that is not root.
    write(machine, METRICS, METRICS_FILE, metrics(&saves).as_bytes(), 0o644)?;
    Ok(saves)
}

fn write(machine: &Machine, directory: &str, file: &str, content: &[u8], mode: u32) -> Result<(), Failure> {
    let path = machine.own_directory(directory)?.join(file);
    let written = atomic::write(&path, content, Attributes { mode, owner: None });
    written.map_err(|error| Failure::writing(format!("writing {}", path.display()), &error, &path))
}

/// For the textfile collector of Prometheus' node exporter.
fn metrics(saves: &Saves) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, rows: Vec<(Option<&str>, String)>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (place, value) in rows {
            let place =
                place.map(|place| format!("{{target=\"{}\"}}", place.replace('\\', "\\\\").replace('"', "\\\"")));
            let _ = writeln!(text, "{name}{} {value}", place.unwrap_or_default());
        }
    };
    let places = |value: fn(&PlaceSaves) -> String| {
        saves.places.iter().map(|(place, saves)| (Some(place.as_str()), value(saves))).collect::<Vec<_>>()
    };
    family(
        "kubewright_etcd_snapshot_last_success_timestamp_seconds",
        "When the last verified snapshot that this host put there was taken.",
        places(|saves| saves.taken.as_second().to_string()),
    );
    family("kubewright_etcd_snapshot_size_bytes", "Size of it.", places(|saves| saves.bytes.to_string()));
    family("kubewright_etcd_snapshot_revision", "Revision of etcd in it.", places(|saves| saves.revision.to_string()));
    let whole = |value: String| vec![(None, value)];
    let ended = saves.ended.map_or(0, Timestamp::as_second);
    family(
        "kubewright_etcd_snapshot_last_turn_timestamp_seconds",
        "When this host last tried.",
        whole(ended.to_string()),
    );
    let proved = saves.proved.map_or(0, Timestamp::as_second);
    family(
        "kubewright_etcd_snapshot_last_proof_timestamp_seconds",
        "When this host last proved one with a real etcd.",
        whole(proved.to_string()),
    );
    family(
        "kubewright_etcd_snapshot_last_turn_failed",
        "1 when that failed in any way.",
        whole(u8::from(!saves.failures.is_empty()).to_string()),
    );
    family(
        "kubewright_etcd_snapshot_duration_seconds",
        "How long it took.",
        whole(format!("{}.{:03}", saves.took / 1000, saves.took % 1000)),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_what_a_collector_reads() {
        let place = |taken: &str| PlaceSaves {
            taken: taken.parse().unwrap(),
            location: "x".into(),
            revision: 41,
            bytes: 20_480,
        };
        let saves = Saves {
            ended: Some("2026-11-29T06:15:02Z".parse().unwrap()),
            took: 1203,
            failures: vec!["no".into()],
            failed_before: false,
            proved: Some("2026-11-28T00:00:00Z".parse().unwrap()),
            places: [
                ("/backup \"a\"".to_owned(), place("2026-11-29T06:15:00Z")),
                ("s3://b/prod".to_owned(), place("2026-11-29T05:00:00Z")),
            ]
            .into(),
        };
        insta::assert_snapshot!(metrics(&saves));
    }
}
