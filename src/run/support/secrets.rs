//! What this machine knows as secrets of a cluster: struck out by value, wherever it turns up. What it should know and
//! cannot read is told of, for an archive may then hold it.

use std::collections::BTreeSet;
use std::env::VarError;
use std::path::Path;

use super::super::subject::Subject;
use super::Missing;
use crate::cluster::{Become, Cluster, SecretSource, SnapshotPlace};
use crate::{redact, regular_file};

/// The secrets of a cluster, as far as they can be read here.
#[derive(Default)]
pub(super) struct Secrets {
    /// Their values.
    pub(super) values: BTreeSet<String>,
    /// Settings whose values are not among them.
    pub(super) unknown: BTreeSet<Missing>,
}

/// Reads an environment variable.
type Environment<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

impl Secrets {
    /// Reads every source that the inventory names, and the cache of keys.
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let mut secrets = Self::default();
        match subject.state.keys().load() {
            // Certificates in it are no secrets.
            Ok(cache) => {
                let cached = cache.iter().filter(|(name, _)| is_secret(name));
                cached.for_each(|(_, text)| secrets.values.extend(redact::values_in(text)));
            }
            Err(error) => secrets.lacks(format!("keys in {}", subject.state.path().display()), error),
        }
        secrets.named_in(subject.cluster, &|name| std::env::var(name));
        secrets
    }

    fn named_in(&mut self, cluster: &Cluster, environment: Environment<'_>) {
        for host in &cluster.hosts {
            if let Become::Sudo { password: Some(password) } = &host.ssh.become_root {
                self.password(password, environment);
            }
            // A key that cannot be read is known by its shape.
            for text in host.ssh.identity_files.iter().filter_map(|path| read(path).ok()) {
                self.values.extend(redact::values_in(&text));
            }
        }
        let bgp = cluster.network.calico().and_then(|calico| calico.transport.bgp());
        let routers = bgp.into_iter().flat_map(|bgp| bgp.racks.values().flatten());
        routers.filter_map(|router| router.password.as_deref()).for_each(|path| self.file("BGP's passwordFile", path));
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            self.values.extend(environment(name));
        }
        for place in &cluster.etcd.snapshots.places {
            if let SnapshotPlace::Bucket(bucket) = place {
                match &bucket.credentials {
                    Some(path) => self.file("credentialsFile", path),
                    None => self.store(place, environment),
                }
            }
        }
        // Whoever knows the address may write there.
        self.values.extend(cluster.etcd.snapshots.webhook.clone());
    }

    fn password(&mut self, source: &SecretSource, environment: Environment<'_>) {
        let setting = "ssh.becomePassword";
        match source {
            SecretSource::Environment(name) => match environment(name) {
                Ok(value) => drop(self.values.insert(value)),
                Err(error) => self.lacks(format!("{setting} {{env: {name}}}"), why(&error)),
            },
            SecretSource::File(path) => self.file(setting, path),
            SecretSource::Prompt => {
                self.lacks(format!("{setting} {{prompt: true}}"), "it is typed, and kept nowhere");
            }
        }
    }

    /// The credentials of a bucket that names no file of them.
    fn store(&mut self, place: &SnapshotPlace, environment: Environment<'_>) {
        match (environment("AWS_SHARED_CREDENTIALS_FILE"), environment("AWS_SECRET_ACCESS_KEY")) {
            (Ok(path), _) if !path.is_empty() => self.file("AWS_SHARED_CREDENTIALS_FILE", Path::new(&path)),
            (_, Err(error)) => {
                self.lacks(format!("credentials of {place} {{env: AWS_SECRET_ACCESS_KEY}}"), why(&error))
            }
            (_, Ok(_)) => {}
        }
    }

    fn file(&mut self, setting: &str, path: &Path) {
        match read(path) {
            Ok(text) => self.values.extend(redact::values_in(&text)),
            Err(error) => self.lacks(format!("{setting} {{file: {}}}", path.display()), error),
        }
    }

    fn lacks(&mut self, what: String, why: impl ToString) {
        let why = format!("its value could not be struck out wherever it stands: {}", why.to_string());
        self.unknown.insert(Missing { what, why });
    }
}

fn is_secret(name: &str) -> bool {
    name.ends_with(".key") || name.ends_with(".conf")
}

fn read(path: &Path) -> std::io::Result<String> {
    regular_file::read_text(path, regular_file::SECRET)
}

/// The error of the standard library would hold the value.
fn why(error: &VarError) -> &'static str {
    match error {
        VarError::NotPresent => "the variable is not set",
        VarError::NotUnicode(_) => "the variable is no text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVENTORY: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {name: test}
spec:
  image: oci:k8s
  ssh: {user: ops, become: sudo}
  etcd: {snapshots: {every: 1h, targets: [{s3: {endpoint: 'https://s3.example', bucket: backups, credentialsFile: none}}]}}
  hosts:
    - {name: m1, address: 10.1.0.1, roles: [control-plane, etcd, worker], ssh: {becomePassword: {env: SET}}}
    - {name: n1, address: 10.1.0.2, roles: [worker], ssh: {becomePassword: {env: UNSET}}}
    - {name: n2, address: 10.1.0.3, roles: [worker], ssh: {becomePassword: {env: UNSET}}}
    - {name: n3, address: 10.1.0.4, roles: [worker], ssh: {becomePassword: {file: sudo}}}
    - {name: n4, address: 10.1.0.5, roles: [worker], ssh: {becomePassword: {file: fifo}}}
    - {name: n5, address: 10.1.0.6, roles: [worker], ssh: {becomePassword: {file: /dev/zero}}}
    - {name: n6, address: 10.1.0.7, roles: [worker], ssh: {becomePassword: {prompt: true}}}
";

    #[test]
    fn a_source_that_cannot_be_read_is_told_of() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("sudo"), "of-a-file\n").unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let name = at("cluster.yaml").display().to_string();
        let cluster = crate::inventory::parse(&name, INVENTORY, &|_| None).unwrap();
        let environment = |name: &str| match name {
            "SET" => Ok("of-a-variable".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        let mut secrets = Secrets::default();
        secrets.named_in(&cluster, &environment);
        assert_eq!(secrets.values.iter().collect::<Vec<_>>(), ["of-a-file", "of-a-variable"]);
        let told = |what: &str, why: &str| Missing {
            what: what.replace("DIR", &directory.path().display().to_string()),
            why: format!("its value could not be struck out wherever it stands: {why}"),
        };
        let expected = [
            told("credentialsFile {file: DIR/none}", "No such file or directory (os error 2)"),
            told("ssh.becomePassword {env: UNSET}", "the variable is not set"),
            told("ssh.becomePassword {file: DIR/fifo}", "it is a FIFO, and must be a file"),
            told("ssh.becomePassword {file: /dev/zero}", "it is a device, and must be a file"),
            told("ssh.becomePassword {prompt: true}", "it is typed, and kept nowhere"),
        ];
        assert_eq!(secrets.unknown, expected.into());
    }
}
