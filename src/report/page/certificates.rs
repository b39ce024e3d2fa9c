//! Certificates: one line for each file, the one that ends first on top.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::super::words;
use super::judge::State;
use crate::cluster::{HostName, listed};
use crate::host::protocol::CertificateDates;
use crate::run::Overview;

/// Days from which on somebody should look at a certificate.
pub(super) const SOON: i64 = 30;
/// Days of a full bar.
const YEAR: i64 = 365;

/// A file with certificates, on all hosts that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The file.
    pub path: String,
    /// Subject of the one that ends first.
    pub common_name: String,
    /// The hosts of those that end first, and how many others there are.
    pub hosts: String,
    /// When the first one ends: the date.
    pub until: String,
    /// Days that are left.
    pub days: i64,
    /// Days left, for people.
    pub left: String,
    /// Length of its bar, of 100.
    pub share: i64,
    /// Whether that is enough.
    pub state: State,
}

/// Whole days until a certificate ends, negative from its end on; none where its date cannot be read.
pub(super) fn days_left(dates: &CertificateDates, now: Timestamp) -> Option<i64> {
    let end: Timestamp = dates.not_after.parse().ok()?;
    Some((end.as_second() - now.as_second()).div_euclid(86_400))
}

/// Every file, the one that ends first on top.
pub(super) fn certificates(overview: &Overview, now: Timestamp) -> Vec<Certificate> {
    let mut files: BTreeMap<&str, Vec<(i64, &HostName, &CertificateDates)>> = BTreeMap::new();
    for (host, all) in &overview.certificates {
        for dates in all {
            if let Some(days) = days_left(dates, now) {
                files.entry(&dates.path).or_default().push((days, host, dates));
            }
        }
    }
    let mut lines: Vec<Certificate> = files.into_values().filter_map(certificate).collect();
    lines.sort_by(|a, b| (a.days, &a.path).cmp(&(b.days, &b.path)));
    lines
}

fn certificate(mut all: Vec<(i64, &HostName, &CertificateDates)>) -> Option<Certificate> {
    all.sort_by_key(|(days, host, _)| (*days, *host));
    let (days, _, first) = *all.first()?;
    let mut hosts: Vec<&str> = all.iter().filter(|one| one.0 == days).map(|(_, host, _)| host.as_str()).collect();
    hosts.dedup();
    let mut others: Vec<&str> =
        all.iter().map(|(_, host, _)| host.as_str()).filter(|host| !hosts.contains(host)).collect();
    others.dedup();
    let hosts = match others.len() {
        0 => listed(hosts.iter().copied()),
        later => format!("{}; {} later", listed(hosts.iter().copied()), words::count(later, "other")),
    };
    let state = match days {
        ..0 => State::Bad,
        0..SOON => State::Warn,
        _ => State::Good,
    };
    Some(Certificate {
        path: first.path.clone(),
        common_name: first.common_name.clone(),
        hosts,
        until: first.not_after.get(..10).unwrap_or(&first.not_after).to_owned(),
        days,
        left: if days < 0 { "has ended".to_owned() } else { words::count(usize::try_from(days).unwrap_or(0), "day") },
        share: days.clamp(0, YEAR) * 100 / YEAR,
        state,
    })
}
