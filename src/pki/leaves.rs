//! The certificates that each host has for itself: what is good stays, the rest is issued.

use jiff::Timestamp;

use crate::cluster::{Cluster, Host, KubeVersion};

use super::authority::Material;
use super::error::NeedsKey;
use super::signer::Signer;
use super::table::{self, Authority, Form, Leaf};
use super::verify::{self, Renewal, Stale};
use super::{Existing, Identity, Note, PkiError, kubeconfig};

/// A certificate of a host, examined.
pub(super) struct Examined<'a> {
    pub(super) host: &'a Host,
    pub(super) leaf: Leaf,
    pub(super) state: Result<Identity, Stale>,
}

/// A certificate of a host, good.
pub(super) struct Issued<'a> {
    pub(super) host: &'a Host,
    pub(super) leaf: Leaf,
    pub(super) identity: Identity,
    pub(super) note: Option<Note>,
}

/// Looks at every certificate of every host.
pub(super) fn examine<'a>(
    cluster: &'a Cluster,
    kubernetes: KubeVersion,
    existing: &Existing,
    authorities: &[Material],
    now: Timestamp,
    renewal: Renewal,
) -> Result<Vec<Examined<'a>>, Vec<PkiError>> {
    let hosts: Vec<&Host> = cluster.hosts.iter().collect();
    let examined = in_parallel(hosts, |host| {
        let leaves = table::leaves(cluster, host, kubernetes)?;
        let leaves = leaves.into_iter().map(|leaf| {
            let state = find(existing, host, &leaf).and_then(|identity| {
                verify::check(&identity, &leaf, of(authorities, leaf.authority), now, renewal).map(|()| identity)
            });
            Examined { host, leaf, state }
        });
        Ok(leaves.collect::<Vec<_>>())
    });
    collect(examined).map(|hosts| hosts.into_iter().flatten().collect())
}

/// Issues what is missing or stale.
pub(super) fn issue<'a>(
    cluster: &Cluster,
    authorities: &[Material],
    examined: Vec<Examined<'a>>,
    now: Timestamp,
) -> Result<Vec<Issued<'a>>, Vec<PkiError>> {
    let mut signers = Vec::new();
    let mut errors = Vec::new();
    for material in authorities {
        let needed = |leaf: &&Examined<'_>| leaf.leaf.authority == material.authority && leaf.state.is_err();
        let needed: Vec<_> = examined.iter().filter(needed).collect();
        if needed.is_empty() {
            continue;
        }
        match Signer::new(material, now) {
            Some(Ok(signer)) => signers.push((material.authority, signer)),
            Some(Err(error)) => errors.push(error),
            None => {
                let leaves = needed.into_iter().map(needs_key).collect();
                errors.push(PkiError::NoKey { authority: material.authority, leaves });
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let pki = &cluster.pki;
    collect(in_parallel(examined, |Examined { host, leaf, state }| {
        let (identity, note) = match state {
            Ok(identity) => (identity, None),
            Err(why) => {
                let signer = signers.iter().find(|(authority, _)| *authority == leaf.authority);
                let (_, signer) = signer.ok_or_else(|| missing(&leaf))?;
                (signer.issue(&leaf, pki.algorithm, pki.leaf_lifetime, now)?, note(host, &leaf, &why))
            }
        };
        Ok(Issued { host, leaf, identity, note })
    }))
}

fn of(authorities: &[Material], authority: Authority) -> &Material {
    // `authorities` has all three, in this order: `resolve` goes no further without.
    &authorities[authority as usize]
}

fn missing(leaf: &Leaf) -> PkiError {
    PkiError::Issue { what: leaf.path.to_owned(), why: format!("{} was not loaded", leaf.authority) }
}

fn needs_key(examined: &Examined<'_>) -> NeedsKey {
    let why = examined.state.as_ref().err().map(ToString::to_string).unwrap_or_default();
    NeedsKey { host: examined.host.name.clone(), path: file(&examined.leaf), why }
}

/// First issues are no news; what replaces something is.
fn note(host: &Host, leaf: &Leaf, why: &Stale) -> Option<Note> {
    let news = *why != Stale::Missing;
    news.then(|| Note { host: Some(host.name.clone()), subject: file(leaf), text: format!("issued anew: {why}") })
}

fn file(leaf: &Leaf) -> String {
    match leaf.form {
        Form::Pair => format!("{}.crt", leaf.path),
        Form::Kubeconfig(_) => leaf.path.to_owned(),
    }
}

fn find(existing: &Existing, host: &Host, leaf: &Leaf) -> Result<Identity, Stale> {
    let read = |path: &str| existing.hosts.get(&host.name).and_then(|files| files.get(path));
    match leaf.form {
        Form::Kubeconfig(_) => {
            let text = read(leaf.path).ok_or(Stale::Missing)?;
            kubeconfig::identity(text).map_err(|why| Stale::Unreadable(why.to_owned()))
        }
        Form::Pair => match (read(&format!("{}.crt", leaf.path)), read(&format!("{}.key", leaf.path))) {
            (Some(certificate), Some(key)) => Ok(Identity { certificate: certificate.clone(), key: key.clone() }),
            (None, None) => Err(Stale::Missing),
            (None, Some(_)) => Err(Stale::Unreadable("its certificate is missing".to_owned())),
            (Some(_), None) => Err(Stale::Unreadable("its key is missing".to_owned())),
        },
    }
}

/// Works on `items` on all CPUs; results keep their order. Thousands of keys are made at a first installation.
fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let size = items.len().div_ceil(cpus).max(1);
    let mut items = items.into_iter();
    let work = &work;
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        loop {
            let chunk: Vec<T> = items.by_ref().take(size).collect();
            if chunk.is_empty() {
                break;
            }
            threads.push(scope.spawn(move || chunk.into_iter().map(work).collect::<Vec<R>>()));
        }
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<R>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    })
}

/// All values, or all errors, each once.
fn collect<T>(results: Vec<Result<T, PkiError>>) -> Result<Vec<T>, Vec<PkiError>> {
    let mut errors = Vec::new();
    let mut values = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) if errors.contains(&error) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}
