//! This host's etcd member over its JSON gateway, which etcd 3.4 to 3.7 have alike: numbers are strings in it, what
//! is zero is left out, and ids are decimal where etcdctl prints them hexadecimal.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::{Client, Identity, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::etcdctl::{CA, CERTIFICATE, KEY};
use super::super::machine::Machine;
use super::super::protocol::{EtcdMember, Failure, ListedMember, MemberAct, Probed};
use super::http::{chain, trusting};

/// How long the largest database may take to be defragmented on a slow disk.
const ACT: Duration = Duration::from_secs(600);

pub(in crate::host) async fn probe(machine: &Machine, endpoint: &str) -> Result<Probed, Failure> {
    let client = client(machine, endpoint)?;
    let asked = async {
        let status: Status = ask(&client, endpoint, "/v3/maintenance/status", json!({})).await?;
        let members: Result<Members, String> = ask(&client, endpoint, "/v3/cluster/member/list", json!({})).await;
        let members = match members {
            // One without a vote tells only of itself.
            Err(why) if why.contains("not supported for learner") => Members::default(),
            members => members?,
        };
        // Alarms need a leader; without one the question itself would hang.
        let alarms = match status.leader {
            0 => Ok(Alarms::default()),
            _ if members.members.is_empty() => Ok(Alarms::default()),
            _ => ask(&client, endpoint, "/v3/maintenance/alarm", json!({"action": "GET"})).await,
        };
        Ok::<_, String>(member(status, members, alarms))
    };
    Ok(asked.await.map_or_else(|why| Probed::Unreachable { why }, Probed::Etcd))
}

fn client(machine: &Machine, endpoint: &str) -> Result<Client, Failure> {
    let mut builder = trusting(machine, CA)?;
    if endpoint.starts_with("https:") {
        let read = |path: &str| {
            let what = || format!("looking at what runs: reading {path}");
            machine.bytes(path)?.ok_or_else(|| Failure::new(what(), "no such file"))
        };
        let mut pem = read(CERTIFICATE)?;
        pem.push(b'\n');
        pem.extend(read(KEY)?);
        let identity = Identity::from_pem(&pem);
        let failed =
            |error| Failure::new(format!("looking at what runs: reading {CERTIFICATE} and its key"), chain(&error));
        builder = builder.identity(identity.map_err(failed)?);
    }
    builder.build().map_err(|error| Failure::new(format!("asking etcd at {endpoint}"), chain(&error)))
}

async fn ask<T: DeserializeOwned>(client: &Client, endpoint: &str, path: &str, question: Value) -> Result<T, String> {
    let url = format!("{}{path}", endpoint.trim_end_matches('/'));
    send(client.post(&url).json(&question), &url).await
}

async fn send<T: DeserializeOwned>(request: RequestBuilder, url: &str) -> Result<T, String> {
    let response = request.send().await.map_err(|error| chain(&error))?;
    let status = response.status();
    let body = response.text().await.map_err(|error| chain(&error))?;
    if !status.is_success() {
        return Err(format!("{url}: {status}: {}", body.trim()));
    }
    serde_json::from_str(&body).map_err(|error| format!("{url}: {error}"))
}

/// The value of a key, as the members agree on it.
pub(in crate::host) async fn get(machine: &Machine, endpoint: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
    let client = client(machine, endpoint).map_err(|failure| failure.to_string())?;
    let range: Range = ask(&client, endpoint, "/v3/kv/range", json!({"key": BASE64.encode(key)})).await?;
    let Some(pair) = range.kvs.into_iter().next() else { return Ok(None) };
    BASE64.decode(pair.value).map(Some).map_err(|error| format!("the value of {key}: {error}"))
}

/// Sets a key, once a majority of the members has it.
pub(in crate::host) async fn put(machine: &Machine, endpoint: &str, key: &str, value: &[u8]) -> Result<(), String> {
    let client = client(machine, endpoint).map_err(|failure| failure.to_string())?;
    let question = json!({"key": BASE64.encode(key), "value": BASE64.encode(value)});
    ask::<Value>(&client, endpoint, "/v3/kv/put", question).await.map(drop)
}

/// Has a member do something. Returns when it is done.
pub(in crate::host) async fn act(machine: &Machine, endpoint: &str, act: &MemberAct) -> Result<(), Failure> {
    let client = client(machine, endpoint)?;
    let id = |id: &String| u64::from_str_radix(id, 16).map(|id| id.to_string());
    let bad = |_| Failure::new(act.to_string(), "an id of a member is hexadecimal");
    if let MemberAct::Disarm = act {
        return disarm(&client, endpoint).await.map_err(|why| Failure::new(act.to_string(), why));
    }
    let (path, question) = match act {
        MemberAct::Add { peer_url } => ("/v3/cluster/member/add", json!({"peerURLs": [peer_url], "isLearner": true})),
        MemberAct::Remove { id: one } => ("/v3/cluster/member/remove", json!({"ID": id(one).map_err(bad)?})),
        MemberAct::Promote { id: one } => ("/v3/cluster/member/promote", json!({"ID": id(one).map_err(bad)?})),
        MemberAct::Defragment | MemberAct::Disarm => ("/v3/maintenance/defragment", json!({})),
    };
    let url = format!("{}{path}", endpoint.trim_end_matches('/'));
    let acted = send::<Value>(client.post(&url).json(&question).timeout(ACT), &url).await;
    acted.map(drop).map_err(|why| Failure::new(act.to_string(), why))
}

/// Takes back every alarm of the kind that can be: etcd wants each with the member that has raised it.
async fn disarm(client: &Client, endpoint: &str) -> Result<(), String> {
    let path = "/v3/maintenance/alarm";
    let raised: Alarms = ask(client, endpoint, path, json!({"action": "GET"})).await?;
    for alarm in raised.alarms.iter().filter(|alarm| alarm.alarm == "NOSPACE") {
        let question = json!({"action": "DEACTIVATE", "memberID": alarm.member.to_string(), "alarm": "NOSPACE"});
        ask::<Value>(client, endpoint, path, question).await?;
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    #[serde(default)]
    value: String,
}

fn member(status: Status, members: Members, alarms: Result<Alarms, String>) -> EtcdMember {
    let hexadecimal = |id: u64| format!("{id:x}");
    let mut errors = status.errors;
    match alarms {
        Ok(Alarms { alarms }) => {
            // The status has them too, in other words and with decimal ids.
            let is_told = |error: &String| {
                let words = |alarm: &Alarm| format!("memberID:{} alarm:{}", alarm.member, alarm.alarm);
                alarms.iter().any(|alarm| error.trim() == words(alarm))
            };
            errors.retain(|error| !is_told(error));
            errors.extend(alarms.iter().map(|alarm| format!("alarm {} on member {:x}", alarm.alarm, alarm.member)));
        }
        Err(why) => errors.push(format!("alarms could not be listed: {why}")),
    }
    let listed = |member: Member| ListedMember {
        id: hexadecimal(member.id),
        name: member.name,
        peer_urls: member.peers,
        learner: member.learner,
    };
    EtcdMember {
        member: hexadecimal(status.header.member),
        leader: (status.leader != 0).then(|| hexadecimal(status.leader)),
        raft_term: status.raft_term,
        raft_index: status.raft_index,
        version: status.version,
        db_size: status.db_size,
        db_in_use: status.db_in_use,
        revision: status.header.revision,
        members: members.members.into_iter().map(listed).collect(),
        errors,
    }
}

#[derive(Debug, Deserialize)]
struct Status {
    header: Header,
    version: String,
    #[serde(default, rename = "dbSize", deserialize_with = "number")]
    db_size: u64,
    #[serde(default, rename = "dbSizeInUse", deserialize_with = "number")]
    db_in_use: u64,
    #[serde(default, deserialize_with = "number")]
    leader: u64,
    #[serde(default, rename = "raftIndex", deserialize_with = "number")]
    raft_index: u64,
    #[serde(default, rename = "raftTerm", deserialize_with = "number")]
    raft_term: u64,
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(rename = "member_id", deserialize_with = "number")]
    member: u64,
    #[serde(default, deserialize_with = "number")]
    revision: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Members {
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    #[serde(default, rename = "ID", deserialize_with = "number")]
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "peerURLs")]
    peers: Vec<String>,
    #[serde(default, rename = "isLearner")]
    learner: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Alarms {
    #[serde(default)]
    alarms: Vec<Alarm>,
}

#[derive(Debug, Deserialize)]
struct Alarm {
    #[serde(default, rename = "memberID", deserialize_with = "number")]
    member: u64,
    #[serde(default)]
    alarm: String,
}

/// 64-bit numbers are strings in protobuf's JSON.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => text.parse().map_err(serde::de::Error::custom),
        Value::Number(number) => number.as_u64().ok_or_else(|| serde::de::Error::custom("not a whole number")),
        other => Err(serde::de::Error::custom(format!("{other} is no number"))),
    }
}

#[cfg(test)]
#[path = "etcd_tests.rs"]
mod tests;
