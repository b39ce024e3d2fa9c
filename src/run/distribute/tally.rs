//! What has come of a distribution, in numbers and in words.

use std::collections::{BTreeMap, BTreeSet};

use super::schedule::{Origin, Transfer};
use crate::cluster::HostName;
use crate::host::protocol::Failure;
use crate::image::Blob;

/// Most fallbacks that the summary tells; the log has all of them.
const TOLD: usize = 3;

/// What has come of a distribution.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Blobs that came to each host.
    pub(super) counts: BTreeMap<HostName, usize>,
    /// Hosts that did not get all of theirs, and why.
    pub(super) failures: BTreeMap<HostName, Failure>,
    /// Blobs that each host still lacks.
    lacking: BTreeMap<HostName, usize>,
    from_here: u64,
    from_registry: u64,
    from_peers: u64,
    fallbacks: Vec<String>,
}

impl Tally {
    /// Nothing has come yet.
    pub(super) fn new(lacks: &BTreeMap<HostName, BTreeSet<Blob>>) -> Self {
        let lacking = lacks.iter().map(|(name, blobs)| (name.clone(), blobs.len())).collect();
        Self { lacking, ..Self::default() }
    }

    /// A blob came. Whether it was the host's last.
    pub(super) fn arrived(&mut self, transfer: &Transfer) -> bool {
        let bytes = match transfer.from {
            Origin::Here => &mut self.from_here,
            Origin::Registry => &mut self.from_registry,
            Origin::Peer(_) => &mut self.from_peers,
        };
        *bytes += transfer.blob.size;
        *self.counts.entry(transfer.to.clone()).or_default() += 1;
        let left = self.lacking.entry(transfer.to.clone()).or_default();
        *left = left.saturating_sub(1);
        *left == 0
    }

    /// A blob comes from somewhere else.
    pub(super) fn fell_back(&mut self, transfer: &Transfer, failure: &Failure) {
        let from = match &transfer.from {
            Origin::Here => "here",
            Origin::Registry => "the registry",
            Origin::Peer(name) => name.as_str(),
        };
        self.fallbacks.push(format!("{} from {from}: {}", transfer.to, failure.why));
    }

    /// A host does not get all of its blobs. What failed first is what is told.
    pub(super) fn gave_up(&mut self, transfer: &Transfer, failure: Failure) {
        self.failures.entry(transfer.to.clone()).or_insert(failure);
    }

    /// In words, for people.
    pub(super) fn summary(&self) -> String {
        let hosts = match self.counts.len() {
            1 => "1 host".to_owned(),
            several => format!("{several} hosts"),
        };
        let parts = [
            (self.from_here, "from here"),
            (self.from_peers, "from host to host"),
            (self.from_registry, "from the registry"),
        ];
        let parts = parts.iter().filter(|(bytes, _)| *bytes > 0);
        let parts: Vec<String> = parts.map(|(bytes, way)| format!("{} {way}", amount(*bytes))).collect();
        let mut text =
            format!("blobs for {hosts}: {}", if parts.is_empty() { "none".to_owned() } else { parts.join(", ") });
        if !self.fallbacks.is_empty() {
            let told = self.fallbacks.iter().take(TOLD).map(|one| format!("\n  {one}")).collect::<String>();
            let more = self.fallbacks.len().saturating_sub(TOLD);
            let more = if more == 0 { String::new() } else { format!("\n  and {more} more") };
            text.push_str(&format!("; what did not come at once came from elsewhere:{told}{more}"));
        }
        text
    }
}

/// A size for people: whole mebibytes, smaller ones in kibibytes.
fn amount(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_by_where_they_came_from_and_fallbacks_with_their_reasons() {
        let host = |name: &str| HostName::parse(name).unwrap();
        let blob = |size| Blob { sha256: "0".repeat(64), size };
        let lacks = BTreeMap::from([
            (host("n1"), BTreeSet::from([blob(1), blob(3 << 20)])),
            (host("n2"), BTreeSet::from([blob(1)])),
        ]);
        let mut tally = Tally::new(&lacks);
        let transfer = |to: &str, size, from| Transfer { blob: blob(size), to: host(to), from };
        assert!(!tally.arrived(&transfer("n1", 3 << 20, Origin::Here)));
        let failed = transfer("n2", 1, Origin::Peer(host("n1")));
        for _ in 0..5 {
            tally.fell_back(&failed, &Failure::new("taking", "connection refused"));
        }
        assert!(tally.arrived(&transfer("n1", 1, Origin::Here)) && tally.arrived(&transfer("n2", 1, Origin::Registry)));
        insta::assert_snapshot!(tally.summary(), @"
        blobs for 2 hosts: 4 MiB from here, 1 KiB from the registry; what did not come at once came from elsewhere:
          n2 from n1: connection refused
          n2 from n1: connection refused
          n2 from n1: connection refused
          and 2 more
        ");
        assert_eq!(tally.counts.values().sum::<usize>(), 3);
    }
}
