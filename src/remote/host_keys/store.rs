//! The known_hosts files of a run: read once, added to when new hosts are accepted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::PublicKeyOrCertificate;

use super::expectation::{Expectation, Verdict};
use super::explain::{Refusal, explain};
use super::line::{Line, parse};
use super::record::append;
use crate::remote::options::{HostKeyPolicy, Options};
use crate::remote::route::Hop;

/// What is recorded, and what happens to what is not.
pub(in crate::remote) struct HostKeys {
    files: Vec<PathBuf>,
    policy: HostKeyPolicy,
    lines: Mutex<Option<Vec<Line>>>,
}

impl HostKeys {
    pub(in crate::remote) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self { files: options.known_hosts.clone(), policy: options.host_keys, lines: Mutex::new(None) })
    }

    /// What is known of the server at `hop`. A file that is there but cannot be read is an error: it may hold the
    /// line that forbids the key.
    pub(in crate::remote) fn expect(&self, hop: &Hop) -> Result<Expectation, String> {
        let (name, host) = (hop.known_as(), hop.host.to_lowercase());
        if !hop.pinned.is_empty() {
            return Expectation::pinned(name, host, &hop.pinned);
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_none() {
            *lines = Some(load(&self.files)?);
        }
        Ok(Expectation::recorded(name, host, lines.as_deref().unwrap_or_default()))
    }

    /// Accepts or refuses what the server has shown.
    pub(in crate::remote) fn decide(
        &self,
        expectation: &Expectation,
        shown: &PublicKeyOrCertificate,
    ) -> Result<(), Refusal> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let verdict = expectation.judge(shown, now);
        match (&verdict, self.policy, self.files.first()) {
            (Verdict::Unknown, HostKeyPolicy::AcceptNew, Some(file)) => self.accept(expectation, shown, file),
            _ => {
                let file = self.files.first().map_or(Path::new("known_hosts"), PathBuf::as_path);
                explain(expectation, &verdict, shown, file).map_or(Ok(()), Err)
            }
        }
    }

    fn accept(&self, expectation: &Expectation, shown: &PublicKeyOrCertificate, file: &Path) -> Result<(), Refusal> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get_or_insert_default();
        // Another connection of this run may have recorded a key for the same name in the meantime.
        let current = Expectation::recorded(expectation.name.clone(), expectation.host.clone(), lines);
        let verdict = current.judge(shown, 0);
        if verdict != Verdict::Unknown {
            return explain(&current, &verdict, shown, file).map_or(Ok(()), Err);
        }
        let failed = |why: String| Refusal {
            came_back: format!("its host key is new and cannot be recorded in {}: {why}", file.display()),
            hint: "make the file writable, or record the key by hand".to_owned(),
        };
        let key = shown.public_key().to_openssh().map_err(|error| failed(error.to_string()))?;
        let line = format!("{} {}", expectation.name, key.trim_end());
        let number = append(file, &line).map_err(|error| failed(error.to_string()))?;
        tracing::info!("recorded the host key of {} at {}:{number}", expectation.name, file.display());
        let mut recorded = parse(file, &line);
        recorded.iter_mut().for_each(|line| line.place.number = number);
        lines.extend(recorded);
        Ok(())
    }
}

fn load(files: &[PathBuf]) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for file in files {
        match std::fs::read(file) {
            Ok(bytes) => lines.extend(parse(file, &String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("reading known host keys from {}: {error}", file.display())),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use russh::keys::PublicKey;

    use super::super::line::tests::{ED25519, OTHER};
    use super::*;
    use crate::remote::route::Identities;

    fn hop() -> Hop {
        let identities = Identities { files: Vec::new(), named: false, only: false };
        Hop { user: "ops".into(), host: "M1".into(), port: 2222, pinned: Vec::new(), identities }
    }

    fn shown(text: &str) -> PublicKeyOrCertificate {
        PublicKey::from_openssh(text).unwrap().into()
    }

    #[test]
    fn a_new_host_is_recorded_once_and_may_not_change_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known_hosts");
        let options =
            Options { known_hosts: vec![file.clone()], host_keys: HostKeyPolicy::AcceptNew, ..Options::default() };
        let store = HostKeys::new(&options);
        // Three connections at once: all of them have asked before the first key was recorded.
        let expectations: Vec<_> = (0..3).map(|_| store.expect(&hop()).unwrap()).collect();
        store.decide(&expectations[0], &shown(ED25519)).unwrap();
        store.decide(&expectations[1], &shown(ED25519)).unwrap();
        let refusal = store.decide(&expectations[2], &shown(OTHER)).unwrap_err();
        assert!(refusal.came_back.starts_with("ITS HOST KEY HAS CHANGED"), "{}", refusal.came_back);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("[m1]:2222 {ED25519}\n"));
        // And a new run reads what this one wrote.
        let again = HostKeys::new(&Options { host_keys: HostKeyPolicy::Strict, ..options });
        again.decide(&again.expect(&hop()).unwrap(), &shown(ED25519)).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { known_hosts: vec![directory.path().to_owned()], ..Options::default() };
        let error = HostKeys::new(&options).expect(&hop()).unwrap_err();
        assert!(error.starts_with("reading known host keys from "), "{error}");
    }

    #[test]
    fn a_key_that_cannot_be_recorded_is_refused() {
        let options = Options {
            known_hosts: vec!["/proc/self/cannot/known_hosts".into()],
            host_keys: HostKeyPolicy::AcceptNew,
            ..Options::default()
        };
        let store = HostKeys::new(&options);
        let refusal = store.decide(&store.expect(&hop()).unwrap(), &shown(ED25519)).unwrap_err();
        assert!(refusal.came_back.contains("cannot be recorded in /proc/self/cannot/known_hosts"));
    }
}
