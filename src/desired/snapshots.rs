//! The hosts of etcd save it by themselves, in turns: the settings of that, and its timer.

use std::path::{Path, PathBuf};

use minijinja::context;

use super::Error;
use super::context::HostContext;
use super::etcd::client_url;
use super::file::{absent, file, secret, unit_file, without_unit};
use super::render::render;
use super::state::{Program, Resource, Sealed, Unit};
use super::tuning::{self, PROGRAM};
use crate::cluster::{BucketPlace, Cluster, Role, SnapshotPlace};
use crate::pki::Archive;
use crate::snapshot::{Schedule, check_recipient};

const TIMER: &str = "kubewright-snapshot.timer";
const SERVICE: &str = "kubewright-snapshot.service";
const DIRECTORY: &str = "/etc/kubewright/snapshots";
/// What [`crate::snapshot::Schedule`] is read from.
pub const SETTINGS: &str = "/etc/kubewright/snapshots/settings.json";
const PKI: &str = "/etc/kubewright/snapshots/pki.age";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is(Role::Etcd) {
        return Ok(None);
    }
    let cluster = host.cluster();
    let snapshots = &cluster.etcd.snapshots;
    let Some(every) = snapshots.every else {
        let files = [format!("/etc/systemd/system/{SERVICE}"), SETTINGS.into(), PKI.into(), format!("{PKI}.sha256")];
        return Ok(Some(without_unit(TIMER).into_iter().chain(files.iter().map(|path| absent(path))).collect()));
    };
    // Not at night, on the host.
    let checked = snapshots.recipients.iter().try_for_each(|recipient| check_recipient(recipient));
    checked.map_err(Error::Recipient)?;
    let mut resources = Vec::new();
    if !tuning::brings_program(host) {
        resources.push(Resource::Program(Program { path: PROGRAM.to_owned() }));
    }
    let mut places = Vec::new();
    for (index, place) in snapshots.places.iter().enumerate() {
        places.push(match place {
            SnapshotPlace::Directory(_) => place.clone(),
            SnapshotPlace::Bucket(bucket) => SnapshotPlace::Bucket(own_files(host, index, bucket, &mut resources)?),
        });
    }
    let pki = snapshots.include_pki.then(|| sealed(host)).transpose()?;
    let schedule = Schedule {
        cluster: cluster.name.to_string(),
        host: host.host.name.to_string(),
        members: cluster.with_role(Role::Etcd).map(|member| (member.name.to_string(), client_url(member))).collect(),
        every: every.as_secs(),
        prove_every: snapshots.prove_every.map(|every| every.as_secs()),
        keep: snapshots.keep,
        recipients: snapshots.recipients.clone(),
        pki: pki.is_some().then(|| PathBuf::from(PKI)),
        places,
        webhook: snapshots.webhook.clone(),
        command: snapshots.command.clone(),
        kubernetes: host.version().to_string(),
        image: host.context.image.name.clone(),
    };
    resources.extend(pki.map(Resource::Sealed));
    // Serialising what this program itself has made cannot fail.
    let settings = serde_json::to_string_pretty(&schedule).unwrap_or_default() + "\n";
    resources.push(secret(SETTINGS, settings));
    let seconds = every.as_secs();
    let limit = seconds.max(3600);
    let service =
        render("kubewright-snapshot.service.j2", context! { program => PROGRAM, settings => SETTINGS, limit })?;
    // A turn that is under way is not cut off.
    resources.push(file(&format!("/etc/systemd/system/{SERVICE}"), 0o644, service, &[]));
    let timer = context! { calendar => Schedule::calendar(every), spread => (seconds / 20).min(60) };
    resources.push(unit_file(TIMER, render("kubewright-snapshot.timer.j2", timer)?));
    resources.push(Resource::Unit(Unit { name: TIMER.to_owned(), enabled: true, running: true }));
    Ok(Some(resources))
}

/// The bucket as the host sees it, with copies of the files that it needs.
fn own_files(
    host: &HostContext<'_>,
    index: usize,
    bucket: &BucketPlace,
    resources: &mut Vec<Resource>,
) -> Result<BucketPlace, Error> {
    let mut copy = |from: &Option<PathBuf>, what: &str| -> Result<Option<PathBuf>, Error> {
        let Some(from) = from else { return Ok(None) };
        let path = format!("{DIRECTORY}/{what}-{index}");
        let content = host.context.files.get(from).ok_or_else(|| Error::NoFile(from.clone()))?;
        resources.push(secret(&path, content.clone()));
        Ok(Some(PathBuf::from(path)))
    };
    let (authorities, credentials) = (copy(&bucket.authorities, "ca")?, copy(&bucket.credentials, "credentials")?);
    Ok(BucketPlace { authorities, credentials, ..bucket.clone() })
}

/// The keys of the cluster, which the host cannot read again once they are there.
fn sealed(host: &HostContext<'_>) -> Result<Sealed, Error> {
    let files = host.context.keys.cache.iter().map(|(name, file)| (name.clone(), file.content.clone())).collect();
    let cluster = host.cluster();
    let archive = Archive::of(cluster.name.as_str(), &files).map_err(Error::NoArchive)?;
    let content = String::from_utf8_lossy(&archive).into_owned();
    Ok(Sealed { path: PKI.to_owned(), content, recipients: cluster.etcd.snapshots.recipients.clone() })
}

/// Files of this machine that hosts get copies of.
pub fn files_needed(cluster: &Cluster) -> Vec<&Path> {
    let snapshots = &cluster.etcd.snapshots;
    let buckets = snapshots.places.iter().filter_map(|place| match place {
        SnapshotPlace::Bucket(bucket) if snapshots.every.is_some() => Some(bucket),
        _ => None,
    });
    buckets.flat_map(|bucket| [bucket.authorities.as_deref(), bucket.credentials.as_deref()]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::Snapshots;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn bucket() -> BucketPlace {
        BucketPlace {
            endpoint: "https://s3.example".into(),
            region: "us-east-1".into(),
            bucket: "backups".into(),
            prefix: "prod".into(),
            path_style: true,
            encryption: None,
            authorities: None,
            credentials: Some("/inventory/credentials".into()),
        }
    }

    fn fixture() -> Fixture {
        let mut fixture = Fixture::with_etcd_host(36);
        fixture.change(|parts| {
            parts.etcd.snapshots = Snapshots {
                every: Some(Duration::from_secs(900)),
                places: vec![SnapshotPlace::Directory("/backup".into()), SnapshotPlace::Bucket(bucket())],
                ..Snapshots::default()
            };
        });
        fixture.files.insert("/inventory/credentials".into(), "[default]\n".into());
        fixture
    }

    fn content(resources: &[Resource], path: &str) -> Option<String> {
        resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path == path => Some(file.content.clone()),
            _ => None,
        })
    }

    #[test]
    fn hosts_of_etcd_have_a_timer_and_what_it_needs_and_nobody_else_has() {
        let fixture = fixture();
        let state = fixture.state("e1");
        let resources = &state.part(Part::Snapshots).unwrap().resources;
        let schedule: Schedule = serde_json::from_str(&content(resources, SETTINGS).unwrap()).unwrap();
        assert_eq!((schedule.host.as_str(), schedule.every), ("e1", 900));
        let SnapshotPlace::Bucket(place) = &schedule.places[1] else { unreachable!() };
        let credentials = place.credentials.as_ref().unwrap().to_str().unwrap();
        assert_eq!(content(resources, credentials).unwrap(), "[default]\n");
        for resource in resources {
            if let Resource::File(file) = resource
                && file.path.starts_with(DIRECTORY)
            {
                assert!(file.secret && file.mode == 0o600, "{}", file.path);
            }
        }
        insta::assert_snapshot!(content(resources, "/etc/systemd/system/kubewright-snapshot.timer").unwrap());
        assert!(fixture.state("n1").part(Part::Snapshots).is_none());
        // Without a schedule, what an earlier run left goes.
        let state = Fixture::with_etcd_host(36).state("e1");
        let gone = &state.part(Part::Snapshots).unwrap().resources;
        assert!(gone.iter().all(|resource| !matches!(resource, Resource::File(_))));
        assert!(gone.iter().any(|resource| matches!(resource, Resource::Absent(absent) if absent.path == SETTINGS)));
    }

    #[test]
    fn a_recipient_with_a_slip_of_the_finger_is_refused_before_any_host_is_touched() {
        let (key, _) = crate::snapshot::testing::age_pair();
        let with = |recipient: String| {
            let mut fixture = fixture();
            fixture.change(|parts| parts.etcd.snapshots.recipients = vec![recipient]);
            crate::desired::host_state(&fixture.context(), fixture.host("e1")).map_err(|error| error.to_string())
        };
        let end = if key.ends_with('q') { "p" } else { "q" };
        let error = with(format!("{}{end}", &key[..key.len() - 1])).unwrap_err();
        assert!(error.contains("spec.etcd.snapshots.recipients") && error.contains("age1"), "{error}");
        with(key).unwrap();
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let mut fixture = fixture();
        assert_eq!(files_needed(fixture.context().cluster), [Path::new("/inventory/credentials")]);
        fixture.files.clear();
        let error = crate::desired::host_state(&fixture.context(), fixture.host("e1")).unwrap_err().to_string();
        assert!(error.contains("/inventory/credentials"), "{error}");
    }
}
