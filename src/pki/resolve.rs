//! From what was found to all keys of a cluster. Rule 1 of the design lives here: a CA is read back, never made anew.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cluster::{Cluster, HostName, KubeVersion};

use super::leaves::{self, Issued};
use super::shared::Common;
use super::table::{self, Authority, Form};
use super::verify::Renewal;
use super::{Existing, KeyFile, KeyOwner, Keys, Note, PkiError, authority, kubeconfig, service_account};

/// Works out every key, certificate and kubeconfig of `cluster`, keeping whatever is good of `existing`. Returns every
/// reason against it, never only the first.
///
/// `existing` must be complete: a control-plane or etcd host that could not be read is a reason not to come here, because
/// what is missing from `existing` counts as missing on the hosts.
///
/// The local state directory must be saved before anything is distributed: an interrupted first installation is then
/// taken up with the same CAs.
pub fn resolve(
    cluster: &Cluster,
    kubernetes: KubeVersion,
    existing: &Existing,
    now: Timestamp,
    renewal: Renewal,
) -> Result<Keys, Vec<PkiError>> {
    let common = common(cluster, existing, now)?;
    let examined = leaves::examine(cluster, kubernetes, existing, &common.authorities, now, renewal)?;
    let issued = leaves::issue(cluster, &common.authorities, examined, now)?;
    Ok(assemble(cluster, existing, &common, issued, now))
}

fn common(cluster: &Cluster, existing: &Existing, now: Timestamp) -> Result<Common, Vec<PkiError>> {
    let mut errors = Vec::new();
    let mut authorities = Vec::new();
    for each in Authority::ALL {
        match authority::resolve(cluster, existing, each, now) {
            Ok(material) => authorities.push(material),
            Err(more) => errors.extend(more),
        }
    }
    match service_account::resolve(cluster, existing) {
        Ok(account) if errors.is_empty() => return Ok(Common { authorities, account }),
        Ok(_) => {}
        Err(more) => errors.extend(more),
    }
    Err(errors)
}

fn assemble(cluster: &Cluster, existing: &Existing, common: &Common, issued: Vec<Issued<'_>>, now: Timestamp) -> Keys {
    let ca = &common.authority(Authority::Kubernetes).certificate;
    let mut keys = Keys {
        ca: ca.clone(),
        etcd_ca: common.authority(Authority::Etcd).certificate.clone(),
        notes: of_authorities(common, now),
        ..Keys::default()
    };
    let mut hosts: BTreeMap<HostName, Vec<KeyFile>> =
        cluster.hosts.iter().map(|host| (host.name.clone(), common.of_host(existing, host))).collect();
    let mut cache = common.of_cache(existing);
    for Issued { host, leaf, identity, note } in issued {
        keys.notes.extend(note);
        // The first master's serves as well as any other: all of them are good until theirs are read again.
        if leaf.organisation == Some(table::MASTERS)
            && matches!(leaf.form, Form::Kubeconfig(_))
            && keys.admin.key.is_empty()
        {
            keys.admin = identity.clone();
        }
        let file = |path: String, content, secret| KeyFile { path, content, secret, owner: leaf.owner };
        let files = hosts.entry(host.name.clone()).or_default();
        match leaf.form {
            Form::Pair => {
                files.push(file(format!("{}.crt", leaf.path), identity.certificate, false));
                files.push(file(format!("{}.key", leaf.path), identity.key, true));
            }
            Form::Kubeconfig(server) => {
                let server = kubeconfig::server(cluster, host, server);
                let content = kubeconfig::render(cluster, &server, ca, &leaf.common_name, &identity);
                if leaf.path == table::ADMIN && !cache.iter().any(|file| file.path == table::ADMIN_CACHE) {
                    let owner = KeyOwner::Root;
                    cache.push(KeyFile {
                        path: table::ADMIN_CACHE.into(),
                        content: content.clone(),
                        secret: true,
                        owner,
                    });
                }
                files.push(file(leaf.path.to_owned(), content, true));
            }
        }
    }
    keys.hosts = hosts;
    keys.cache = cache.into_iter().map(|file| (file.path.clone(), file)).collect();
    keys
}

fn of_authorities(common: &Common, now: Timestamp) -> Vec<Note> {
    let notes = |material: &authority::Material| {
        let subject = material.authority.to_string();
        material.notes(now).into_iter().map(move |text| Note { host: None, subject: subject.clone(), text })
    };
    common.authorities.iter().flat_map(notes).collect()
}

#[cfg(test)]
mod tests;
