//! What this machine knows as secrets of a cluster: struck out by value, wherever it turns up.

use std::path::Path;

use super::super::subject::Subject;
use crate::cluster::{Become, SecretSource, SnapshotPlace};
use crate::redact;

/// Every value that can be read here; what cannot was no use to kubewright either.
pub(super) fn values(subject: &Subject<'_>) -> Vec<String> {
    let cluster = subject.cluster;
    let mut values = Vec::new();
    // The cache of keys: certificates in it are none.
    let cache = subject.state.keys().load().unwrap_or_default();
    cache.iter().filter(|(name, _)| is_secret(name)).for_each(|(_, text)| values.extend(redact::values_in(text)));
    for host in &cluster.hosts {
        if let Become::Sudo { password: Some(password) } = &host.ssh.become_root {
            match password {
                SecretSource::Environment(name) => values.extend(std::env::var(name)),
                SecretSource::File(path) => add(path, &mut values),
                SecretSource::Prompt => {}
            }
        }
        host.ssh.identity_files.iter().for_each(|path| add(path, &mut values));
    }
    let bgp = cluster.network.calico().and_then(|calico| calico.transport.bgp());
    let routers = bgp.into_iter().flat_map(|bgp| bgp.racks.values().flatten());
    routers.filter_map(|router| router.password.as_deref()).for_each(|path| add(path, &mut values));
    for place in &cluster.etcd.snapshots.places {
        if let SnapshotPlace::Bucket(bucket) = place {
            bucket.credentials.iter().for_each(|path| add(path, &mut values));
        }
    }
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        values.extend(std::env::var(name));
    }
    // Whoever knows the address may write there.
    values.extend(cluster.etcd.snapshots.webhook.clone());
    values.sort();
    values.dedup();
    values
}

fn is_secret(name: &str) -> bool {
    name.ends_with(".key") || name.ends_with(".conf")
}

fn add(path: &Path, values: &mut Vec<String>) {
    if let Ok(text) = std::fs::read_to_string(path) {
        values.extend(redact::values_in(&text));
    }
}
