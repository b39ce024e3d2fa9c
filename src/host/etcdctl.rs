//! etcd's own client, for what its JSON gateway does not offer in every version: snapshots, hashes, and moving the
//! leader. It is the one that came with the member, so that both speak alike.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::command::{Command, CommandError};
use super::facts::version_of_unit;
use super::machine::Machine;
use super::protocol::{Failure, Probed};
use super::systemd::UNIT_FILES;

/// The certificate of etcd's CA.
pub const CA: &str = "/etc/kubernetes/pki/etcd/ca.crt";
/// A client's certificate, for looking after a member on its own host.
pub const CERTIFICATE: &str = "/etc/kubernetes/pki/etcd/healthcheck-client.crt";
/// Its key.
pub const KEY: &str = "/etc/kubernetes/pki/etcd/healthcheck-client.key";
/// How long the largest database may take to be written to a slow disk.
const UNPACKING: Duration = Duration::from_secs(13 * 60);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// The client of the member that this host is set to run, towards the client URL `endpoint`.
pub(super) fn etcdctl(machine: &Machine, what: &str, endpoint: &str) -> Result<Command, Failure> {
    let program = programs(machine, what)?.join("etcdctl");
    // A version that root's environment asks for would be another API.
    let command = Command::new(program.to_string_lossy()).env("ETCDCTL_API", "3");
    let command = command.args([format!("--endpoints={endpoint}"), "--dial-timeout=15s".to_owned()]);
    if !endpoint.starts_with("https:") {
        return Ok(command);
    }
    let file = |flag: &str, path: &str| format!("--{flag}={}", machine.root.at(path).display());
    Ok(command.args([file("cacert", CA), file("cert", CERTIFICATE), file("key", KEY)]))
}

/// Where the programs of the member are that this host is set to run.
pub(super) fn programs(machine: &Machine, what: &str) -> Result<PathBuf, Failure> {
    let unit = machine.text(&format!("{UNIT_FILES}etcd.service"))?;
    let Some(version) = unit.and_then(|unit| version_of_unit(&unit, "etcd")) else {
        let hint = "only a host with the role etcd can do this, once it is installed";
        return Err(Failure::new(what, "no etcd.service of kubewright is on this host").hint(hint));
    };
    Ok(machine.root.at(format!("/opt/kubewright/etcd/{version}/bin")))
}

/// What makes a data directory of `snapshot`, with the tool for that in `programs`.
pub(super) fn unpack(programs: &Path, snapshot: &Path, what: &str) -> Result<Command, Failure> {
    let tool = unpacker(programs, what)?;
    let tool = Command::new(tool.to_string_lossy()).env("ETCDCTL_API", "3").deadline(UNPACKING);
    Ok(tool.args(["snapshot", "restore", &snapshot.display().to_string()]))
}

/// The tool for that: etcdutl has it from etcd 3.5 on.
pub(super) fn unpacker(programs: &Path, what: &str) -> Result<PathBuf, Failure> {
    let tool = ["etcdutl", "etcdctl"].map(|name| programs.join(name)).into_iter().find(|path| path.exists());
    let why = || format!("neither etcdutl nor etcdctl is in {}", programs.display());
    tool.ok_or_else(|| Failure::new(what, why()).hint("`kubewright install` puts them there"))
}

/// What the member tells of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    /// Size of the database in bytes.
    pub(super) db_size: u64,
    /// Revision of the keys.
    pub(super) revision: u64,
}

/// Asks the member for its status.
pub(super) fn status(machine: &Machine, what: &str, endpoint: &str) -> Result<Status, Failure> {
    let command = etcdctl(machine, what, endpoint)?.args(["endpoint", "status"]);
    let Endpoint { answer }: Endpoint<StatusAnswer> = ask(machine, command).map_err(|error| error.failure(what))?;
    Ok(Status { db_size: answer.db_size, revision: answer.header.revision })
}

/// The member's hash over its keys up to `revision`. That it cannot tell (yet, or any more) is an answer.
pub(super) fn hash(machine: &Machine, endpoint: &str, revision: u64) -> Result<Probed, Failure> {
    let what = format!("comparing the data of etcd at {endpoint}");
    let command = etcdctl(machine, &what, endpoint)?.args(["endpoint", "hashkv", &format!("--rev={revision}")]);
    match ask::<Endpoint<HashAnswer>>(machine, command) {
        Ok(Endpoint { answer }) => {
            let HashAnswer { hash, compact_revision } = answer;
            Ok(Probed::EtcdHash { hash, revision, compact_revision })
        }
        Err(AskError::Command(error @ (CommandError::NotFound { .. } | CommandError::Io { .. }))) => {
            Err(failed(&what, &error))
        }
        Err(error) => Ok(Probed::Unreachable { why: error.failure(&what).why }),
    }
}

/// Makes the member with the hexadecimal id `target` the leader; `endpoint` must be the leader's own.
pub(super) fn move_leader(machine: &Machine, endpoint: &str, target: &str) -> Result<(), Failure> {
    let what = format!("moving etcd's leader from {endpoint} to member {target}");
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(what, "the id of a member is a hexadecimal number"));
    }
    let command = etcdctl(machine, &what, endpoint)?.args(["move-leader", target]).deadline(ANSWER);
    machine.system.run(&command).map(drop).map_err(|error| failed(&what, &error))
}

/// A run of it that failed, without the log lines among its words.
pub(super) fn failed(what: &str, error: &CommandError) -> Failure {
    let failure = Failure::command(what, error);
    let plain = failure.why.lines().map(|line| line.split("{\"level\":").next().unwrap_or_default().trim_end());
    let why = plain.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    Failure { why, ..failure }
}

/// What `etcdctl endpoint … --write-out=json` prints for the one endpoint.
#[derive(Debug, Deserialize)]
struct Endpoint<T> {
    #[serde(alias = "Status", alias = "HashKV")]
    answer: T,
}

#[derive(Debug, Deserialize)]
struct StatusAnswer {
    header: Header,
    #[serde(default, rename = "dbSize")]
    db_size: u64,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    revision: u64,
}

/// What is zero is left out.
#[derive(Debug, Deserialize)]
struct HashAnswer {
    #[serde(default)]
    hash: u32,
    #[serde(default)]
    compact_revision: i64,
}

/// Why an answer did not come.
enum AskError {
    Command(CommandError),
    /// The answer is not what was expected.
    Answer(String),
}

impl AskError {
    fn failure(&self, what: &str) -> Failure {
        match self {
            Self::Command(error) => failed(what, error),
            Self::Answer(why) => Failure::new(what, format!("an unexpected answer: {why}")),
        }
    }
}

fn ask<T: DeserializeOwned>(machine: &Machine, command: Command) -> Result<T, AskError> {
    let command = command.args(["--write-out=json", "--command-timeout=20s"]).deadline(ANSWER);
    let output = machine.system.run(&command).map_err(AskError::Command)?;
    only(&output.text()).map_err(AskError::Answer)
}

/// The one element of a list.
fn only<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let [answer] = serde_json::from_str::<[T; 1]>(json.trim()).map_err(|error| error.to_string())?;
    Ok(answer)
}

#[cfg(test)]
#[path = "etcdctl_tests.rs"]
mod tests;
