//! `kubewright support`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::grammar::hosts_of_inventory;
use super::session::{Session, SessionArgs};
use super::{Exit, Failure, file};
use crate::cluster::{Cluster, HostName};
use crate::run::{self, Archived, Place, Wanted};
use crate::{inventory, report, snapshot};

/// Collect what a helper needs into one archive: versions, states, logs, events, and no secrets
///
/// It works while hosts, etcd or the API are down and while another run is under way: it takes no lock and changes
/// nothing. What could not be had is listed in the archive's missing.txt, with the reason.
///
/// Secrets are struck out on the hosts, and once more here: private keys, tokens, passwords, and every value that the
/// inventory, this machine's state directory or a host's own files call secret. Secrets of the cluster are never read.
/// Look through the archive all the same before you give it away.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    kubewright support -i cluster.yaml --to support.tar.zst\n  \
    kubewright support -i cluster.yaml --since 2h --limit m1,n3\n  \
    kubewright support -i cluster.yaml --recipient age1… --to support.tar.zst.age\n  \
    tar -x --zstd -f support.tar.zst    # then read index.txt and missing.txt\n\n\
    Exit codes: 0 the archive was made, whatever is missing in it, 1 it could not be written, 64 no place for it, \
    65 invalid inventory")]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// The archive; one that is there stays [default: CLUSTER-support-TIME.tar.zst here]
    #[arg(long, value_name = "FILE.tar.zst")]
    to: Option<PathBuf>,
    /// How far logs go back
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = since)]
    since: Duration,
    /// Most of each log, its end: up to 16MiB
    #[arg(long, value_name = "SIZE", default_value = "2MiB", value_parser = log_size)]
    log_size: u64,
    /// Collect from these hosts only; the cluster as a whole is looked at all the same
    #[arg(long, value_name = "HOST", num_args = 1.., value_delimiter = ',', add = clap_complete::engine::ArgValueCompleter::new(hosts_of_inventory))]
    limit: Vec<String>,
    /// Encrypt it for whoever has the other half of this public key of age (age1…); may be repeated
    #[arg(long, value_name = "KEY")]
    recipient: Vec<String>,
}

/// A log travels in one message, with room for what escapes its quotes.
const LARGEST: u64 = 16 << 20;

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        check_recipients(&self.recipient)?;
        let named = self.to.as_deref().map(free).transpose()?;
        let session = self.session.load()?;
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let directory = format!("{}-support-{now}", session.cluster.name);
        let ending = if self.recipient.is_empty() { "tar.zst" } else { "tar.zst.age" };
        let path = named.unwrap_or_else(|| PathBuf::from(format!("{directory}.{ending}")));
        let wanted = Wanted {
            place: Place { path: &path, directory, recipients: &self.recipient },
            seconds: self.since.as_secs(),
            bytes: self.log_size,
            hosts: hosts(&session.cluster, &self.limit)?,
            inventory: text_of(self.session.inventory()),
        };
        let archived = session.run("support", async |subject, events| run::support(subject, &wanted, events).await)?;
        tell(&session, &path, &archived);
        Ok(Exit::Done)
    }
}

fn tell(session: &Session, path: &Path, archived: &Archived) {
    let Archived { files, bytes, missing } = archived;
    let mut text = String::new();
    for one in missing {
        text.push_str(&format!("missing: {}: {}\n", one.what, one.why));
    }
    let lacking = if missing.is_empty() { String::new() } else { format!(", {} things missing", missing.len()) };
    let (path, size) = (path.display(), report::mebibytes(*bytes));
    text.push_str(&format!("written to {path}: {files} files, {size}{lacking}\n"));
    text.push_str("secrets are struck out; look through it all the same before you give it away");
    session.tell(&text, &json!({ "archive": path.to_string(), "files": files, "bytes": bytes, "missing": missing }));
}

/// Where an archive may go: what is there may be the only trace of an earlier trouble.
fn free(path: &Path) -> Result<PathBuf, Failure> {
    if path.symlink_metadata().is_ok() {
        let why = "it is there already";
        return Err(Failure::usage(format!(
            "--to {}: {why}; name another file, or move this one away",
            path.display()
        )));
    }
    file::absent(path)
}

fn hosts(cluster: &Cluster, names: &[String]) -> Result<BTreeSet<HostName>, Failure> {
    let host = |name: &String| {
        let host = cluster.host(name);
        let unknown = || Failure::usage(format!("the inventory has no host {name:?}; `kubewright hosts` lists all"));
        host.map(|host| host.name.clone()).ok_or_else(unknown)
    };
    names.iter().map(host).collect()
}

fn text_of(path: &Path) -> Result<String, String> {
    if path == Path::new("-") {
        return Err("it came from standard input, which can be read only once".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(inventory::without_secrets(&text))
}

fn since(text: &str) -> Result<Duration, String> {
    let since = inventory::duration(text)?;
    if since.as_secs() == 0 { Err("logs that go back less than a second are empty".to_owned()) } else { Ok(since) }
}

fn log_size(text: &str) -> Result<u64, String> {
    match inventory::size(text)? {
        size @ 1..=LARGEST => Ok(size),
        _ => Err("write a size from 1B to 16MiB".to_owned()),
    }
}

/// What is wrong is not shown: it may be the other half.
fn check_recipients(recipients: &[String]) -> Result<(), Failure> {
    if recipients.iter().all(|text| snapshot::check_recipient(text).is_ok()) {
        return Ok(());
    }
    let hint = "write the public key that age-keygen prints, age1…; the secret one stays with whoever is to read it";
    Err(Failure::usage(format!("--recipient: this is no public key of age; {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sizes_and_keys_are_checked() {
        assert_eq!(since("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(log_size("16MiB"), Ok(LARGEST));
        for bad in ["", "2", "0s", "100ms", "1y"] {
            assert!(since(bad).is_err(), "{bad}");
        }
        for bad in ["", "0B", "17MiB", "2MB"] {
            assert!(log_size(bad).is_err(), "{bad}");
        }
        let secret = "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
        let error = check_recipients(&[secret.to_owned()]).unwrap_err();
        assert!(error.message.contains("no public key of age") && !error.message.contains("QQPZ"), "{}", error.message);
    }

    #[test]
    fn an_archive_that_is_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("a.tar.zst");
        std::fs::write(&there, "").unwrap();
        assert!(free(&there).unwrap_err().message.contains("it is there already"));
        assert!(free(&directory.path().join("nowhere/a")).unwrap_err().message.contains("no directory"));
        assert!(free(&directory.path().join("b")).is_ok());
    }
}
