//! Places of snapshots as they are named on the command line: a directory, `s3://BUCKET/PREFIX`, or a file of either.

use std::path::{Path, PathBuf};

use crate::cluster::{BucketPlace, SnapshotPlace, Snapshots};
use crate::snapshot::{self, Target, TargetError};

/// The place called `text`, with the settings that the inventory has for it.
pub(super) fn parse(text: &str, known: &Snapshots) -> Result<SnapshotPlace, String> {
    let Some(rest) = text.strip_prefix("s3://") else {
        if text.contains("://") {
            return Err(format!("{text}: write a directory, or s3://BUCKET/PREFIX"));
        }
        return Ok(SnapshotPlace::Directory(PathBuf::from(text)));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    if bucket.is_empty() {
        return Err(format!("{text}: the bucket has no name: write s3://BUCKET/PREFIX"));
    }
    let same = |place: &&SnapshotPlace| match place {
        SnapshotPlace::Bucket(place) => place.bucket == bucket && place.prefix == prefix,
        SnapshotPlace::Directory(_) => false,
    };
    Ok(known.places.iter().find(same).cloned().unwrap_or_else(|| from_environment(bucket, prefix)))
}

fn from_environment(bucket: &str, prefix: &str) -> SnapshotPlace {
    let variable =
        |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let region = variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
    let own = variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
    SnapshotPlace::Bucket(BucketPlace {
        // Most stores of one's own have no wildcard in their certificates and names.
        path_style: own.is_some(),
        endpoint: own.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com")),
        region,
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        encryption: None,
        authorities: variable(&["AWS_CA_BUNDLE"]).map(PathBuf::from),
        credentials: None,
    })
}

/// A place, and a file of it where one is meant.
pub(super) struct Location {
    pub(super) target: Target,
    pub(super) file: Option<String>,
}

impl Location {
    /// What `text` names: a snapshot's name has an ending, a place has none.
    pub(super) fn find(text: &str, known: &Snapshots) -> Result<Self, String> {
        let open = |place: &SnapshotPlace| Target::open(place).map_err(|error: TargetError| error.to_string());
        let (place, file) = match text.starts_with("s3://") {
            true => match text.rsplit_once('/') {
                Some((place, file)) if snapshot::is_snapshot(file) => (place, Some(file)),
                _ => (text, None),
            },
            false => return Self::local(Path::new(text)),
        };
        Ok(Self { target: open(&parse(place, known)?)?, file: file.map(str::to_owned) })
    }

    fn local(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let (directory, file) = match std::fs::metadata(path).map_err(failed)?.is_dir() {
            true => (path, None),
            false => (path.parent().unwrap_or(Path::new("/")), path.file_name()),
        };
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let place = SnapshotPlace::Directory(directory.to_owned());
        let target = Target::open(&place).map_err(|error| error.to_string())?;
        Ok(Self { target, file: file.map(|file| file.to_string_lossy().into_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_the_inventory_is_used_as_it_is_set_up_there() {
        let SnapshotPlace::Bucket(mut there) = from_environment("b", "prod/etcd") else { unreachable!() };
        there.endpoint = "https://store.example".into();
        let known = Snapshots { places: vec![SnapshotPlace::Bucket(there.clone())], ..Snapshots::default() };
        assert_eq!(parse("s3://b/prod/etcd/", &known), Ok(SnapshotPlace::Bucket(there)));
        assert_eq!(parse("s3://b/prod", &known), Ok(from_environment("b", "prod")));
        assert_eq!(parse("backup", &known), Ok(SnapshotPlace::Directory("backup".into())));
        for bad in ["s3://", "s3:///x", "ssh://h/x"] {
            assert!(parse(bad, &known).is_err(), "{bad}");
        }
    }
}
