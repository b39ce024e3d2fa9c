//! The section `etcd.snapshots`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::{BucketPlace, Keep, SnapshotPlace, Snapshots};
use crate::inventory::named_files::Holds;
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecBucket, SpecSnapshotInclude, SpecSnapshotTarget, SpecSnapshots};
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::{Context, files};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: u64 = 86_400;

/// Converts the section.
pub(super) fn convert(spec: Option<&SpecSnapshots>, context: &mut Context<'_>) -> Snapshots {
    let path = Path::of("spec.etcd.snapshots");
    let Some(spec) = spec else { return Snapshots::default() };
    let every = spec.every.as_ref().and_then(|text| context.take(&path.key("every"), period(text)));
    let max_age = spec.max_age.as_ref().and_then(|text| context.take(&path.key("maxAge"), units::duration(text)));
    let prove_every = spec.prove_every.as_ref();
    let prove_every = prove_every.and_then(|text| context.take(&path.key("proveEvery"), units::duration(text)));
    if let (Some(every), Some(age)) = (every, max_age)
        && age < every
    {
        let fault = Fault::new("a snapshot would be too old before the next one comes", "write at least `every`");
        context.fault(&path.key("maxAge"), fault);
    }
    if prove_every.is_some_and(|every| every.is_zero()) {
        context.fault(&path.key("proveEvery"), Fault::new("this is no time", "write 7d, or remove it"));
    }
    if spec.recipients.as_ref().is_some_and(Vec::is_empty) {
        let hint = "name a public key of age, or remove it: without it snapshots are not encrypted";
        context.fault(&path.key("recipients"), Fault::new("nobody is named who could read a snapshot", hint));
    }
    let keep = spec.keep.as_ref().map(|keep| {
        let number = |said: Option<usize>| said.unwrap_or(0);
        let (last, hourly) = (number(keep.last), number(keep.hourly));
        Keep { last, hourly, daily: number(keep.daily), weekly: number(keep.weekly) }
    });
    let said = spec.keep.iter().flat_map(|keep| [keep.last, keep.hourly, keep.daily, keep.weekly]).flatten();
    if keep == Some(Keep::default()) && said.count() > 0 {
        let hint = "write {last: 24, daily: 14}, or remove it to keep all";
        context.fault(&path.key("keep"), Fault::new("this would leave a single snapshot", hint));
    }
    let recipients = recipients(spec, &path, context);
    let include_pki = spec.include.as_ref().is_some_and(|include| include.contains(&SpecSnapshotInclude::Pki));
    if include_pki && recipients.is_empty() {
        let fault = Fault::new("the cluster's keys are never saved unencrypted", "name `recipients`, or remove it");
        context.key_fault(&path.key("include"), fault);
    }
    let targets = spec.targets.as_deref().unwrap_or_default().iter().enumerate();
    let places = targets.filter_map(|(index, target)| place(target, &path.key("targets").index(index), context));
    let places: Vec<_> = places.collect();
    let mut seen = BTreeSet::new();
    for place in &places {
        if !seen.insert(identity(place)) {
            context.fault(&path.key("targets"), Fault::new(format!("{place} stands twice"), "remove one of the two"));
        }
    }
    if every.is_some() && spec.targets.as_ref().is_none_or(Vec::is_empty) {
        context.fault(&path.key("targets"), Fault::new("nothing says where to save", "add a `directory` or an `s3`"));
    }
    Snapshots {
        every,
        prove_every,
        max_age: max_age.or(every.map(|every| every * 3)),
        keep,
        recipients,
        include_pki,
        places,
        webhook: spec.webhook.as_ref().and_then(|url| context.take(&path.key("webhook"), web(url))),
        command: command(spec, &path, context),
    }
}

fn period(text: &str) -> Result<Duration, Fault> {
    let every = units::duration(text)?;
    if every < MINUTE || every.subsec_nanos() != 0 || !DAY.is_multiple_of(every.as_secs()) {
        let hint = "write 1m, 5m, 15m, 30m, 1h, 2h, 6h, 12h, 1d or the like";
        return Err(Fault::new(format!("a day is not a multiple of {text:?}, or it is less than a minute"), hint));
    }
    Ok(every)
}

fn recipients(spec: &SpecSnapshots, path: &Path, context: &mut Context<'_>) -> Vec<String> {
    let check = |text: &String| {
        // Looked at closely where it is used: this module knows no cryptography.
        let well = text.starts_with("age1") && text.len() > 50 && text.chars().all(|c| c.is_ascii_alphanumeric());
        let hint = "write the public key that age-keygen prints, age1…; the secret one stays with you";
        if well { Ok(text.clone()) } else { Err(Fault::new("this is no public key of age", hint)) }
    };
    let all = spec.recipients.iter().flatten().enumerate();
    all.filter_map(|(index, text)| context.take(&path.key("recipients").index(index), check(text))).collect()
}

fn place(spec: &SpecSnapshotTarget, path: &Path, context: &mut Context<'_>) -> Option<SnapshotPlace> {
    match (&spec.directory, &spec.s3) {
        (Some(directory), None) => context.take(&path.key("directory"), absolute(directory)),
        (None, Some(s3)) => bucket(s3, &path.key("s3"), context).map(SnapshotPlace::Bucket),
        _ => {
            let hint = "write either `directory` or `s3`";
            context.fault(path, Fault::new("a target is one place", hint));
            None
        }
    }
}

/// What makes a place another one.
fn identity(place: &SnapshotPlace) -> (String, &str, &str) {
    match place {
        SnapshotPlace::Directory(directory) => (directory.display().to_string(), "", ""),
        SnapshotPlace::Bucket(bucket) => (bucket.endpoint.clone(), &bucket.bucket, &bucket.prefix),
    }
}

fn absolute(text: &str) -> Result<SnapshotPlace, Fault> {
    let path = std::path::Path::new(text);
    let plain = path.is_absolute() && path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    // What a reset or a restore removes keeps no snapshots.
    let own = ["/var/lib/etcd", "/var/lib/kubewright", "/etc/kubewright", "/etc/kubernetes", "/etc/etcd"];
    let whole = path.components().count() < 2;
    if !plain || whole || text.chars().any(char::is_control) || path.starts_with("/proc") || path.starts_with("/sys") {
        let fault = format!("{text:?} is not an absolute path of a directory for snapshots, without `..`");
        return Err(Fault::new(fault, "write one such as /var/backups/etcd"));
    }
    if own.iter().any(|own| path.starts_with(own)) {
        let fault = format!("{text:?} is removed with the cluster, and the snapshots with it");
        return Err(Fault::new(fault, "write one such as /var/backups/etcd"));
    }
    // However many slashes it has: one directory is one place.
    Ok(SnapshotPlace::Directory(path.components().collect()))
}

fn bucket(spec: &SpecBucket, path: &Path, context: &mut Context<'_>) -> Option<BucketPlace> {
    let endpoint = spec.endpoint.as_ref().and_then(|url| context.take(&path.key("endpoint"), web(url)));
    let mut file = |key: &str, text: Option<&String>, holds| files::named(text?, &path.key(key), holds, context);
    let credentials = file("credentialsFile", spec.credentials_file.as_ref(), Holds::Secrets);
    let authorities = file("caFile", spec.ca_file.as_ref(), Holds::Public);
    let name = |text: &String| {
        let well = (3..=63).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_'));
        let hint = "write 3 to 63 lower-case letters, digits, '.', '-' and '_'";
        if well { Ok(text.clone()) } else { Err(Fault::new(format!("{text:?} is no name of a bucket"), hint)) }
    };
    let plain = |text: &String| {
        let odd = text.contains("..") || text.chars().any(|c| c.is_control() || c.is_whitespace());
        let fault = || Fault::new(format!("{text:?} has `..`, blanks or control characters in it"), "write prod/etcd");
        if odd { Err(fault()) } else { Ok(text.trim_matches('/').to_owned()) }
    };
    let prefix = spec.prefix.as_ref().and_then(|prefix| context.take(&path.key("prefix"), plain(prefix)));
    let region = spec.region.as_ref().and_then(|region| context.take(&path.key("region"), self::region(region)));
    let encryption = spec.server_side_encryption.as_ref();
    let encryption = encryption.and_then(|how| context.take(&path.key("serverSideEncryption"), algorithm(how)));
    let bucket = spec.bucket.as_ref().and_then(|bucket| context.take(&path.key("bucket"), name(bucket)));
    Some(BucketPlace {
        endpoint: endpoint?,
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        bucket: bucket?,
        prefix: prefix.unwrap_or_default(),
        path_style: spec.path_style.unwrap_or(true),
        encryption,
        authorities,
        credentials: Some(credentials?),
    })
}

fn region(text: &str) -> Result<String, Fault> {
    let well = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let fault = || Fault::new(format!("{text:?} is no name of a region"), "write one such as us-east-1, or remove it");
    if well { Ok(text.to_owned()) } else { Err(fault()) }
}

/// It becomes a header of HTTP.
fn algorithm(text: &str) -> Result<String, Fault> {
    let well =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
    let fault = || Fault::new(format!("{text:?} is no name of an encryption"), "write AES256 or aws:kms, or remove it");
    if well { Ok(text.to_owned()) } else { Err(fault()) }
}

/// Whether what stands before the path of a URL is a host with or without a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn web(text: &str) -> Result<String, Fault> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = host.and_then(|host| host.split(['/', '?', '#']).next());
    let well = authority.is_some_and(is_authority) && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    // A login in a URL would be seen wherever the URL is.
    if well && !text.contains('@') {
        Ok(text.to_owned())
    } else {
        Err(Fault::new("this is no URL without a login", "write https://HOST[:PORT][/PATH]"))
    }
}

fn command(spec: &SpecSnapshots, path: &Path, context: &mut Context<'_>) -> Vec<String> {
    let Some(command) = &spec.command else { return Vec::new() };
    if !command.first().is_some_and(|program| program.starts_with('/')) {
        let fault = Fault::new("the program is not an absolute path", "write [/usr/local/bin/tell, ARGUMENT]");
        context.fault(&path.key("command"), fault);
        return Vec::new();
    }
    command.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_would_refuse_is_refused() {
        for good in ["https://h", "http://h:9000/a?b", "https://[fd00::1]:9000", "https://[fd00::1]/x"] {
            assert!(web(good).is_ok(), "{good}");
        }
        for bad in ["h", "https://", "https:///x", "https://h:99999/", "https://h:0", "https://h:", "https://me:pw@h"] {
            assert!(web(bad).is_err(), "{bad}");
        }
        assert!(region("us-east-1").is_ok() && region("").is_err() && region("a b").is_err());
        assert!(algorithm("AES256").is_ok() && algorithm("aws:kms").is_ok());
        assert!(algorithm("").is_err() && algorithm("a\r\nX: y").is_err());
    }

    #[test]
    fn one_directory_is_one_place() {
        let places = ["/b", "/b/", "//b", "/./b/."].map(|text| absolute(text).unwrap().to_string());
        assert_eq!(places, ["/b"; 4]);
    }
}
