//! Which way blobs go. Pure.

use super::schedule::Way;
use crate::cluster::DistributionMode;

/// Fewer hosts are served from here nearly as fast: two rounds among them take as long as one host more.
const MANY_HOSTS: usize = 8;
/// Less than this, in bytes for all hosts together, is sent before the hosts have agreed on anything.
const MUCH: u64 = 512 << 20;

/// What the hosts lack together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Hosts that lack something.
    pub(super) hosts: usize,
    /// Bytes that all of them lack together.
    pub(super) bytes: u64,
}

/// The way for `need`.
pub(super) fn choose(mode: DistributionMode, need: Need, registry: bool) -> Way {
    match mode {
        DistributionMode::Registry if registry => Way::Registry,
        DistributionMode::Registry | DistributionMode::Push => Way::Push,
        DistributionMode::Peers => Way::Peers,
        DistributionMode::Auto if need.hosts >= MANY_HOSTS && need.bytes >= MUCH => Way::Peers,
        DistributionMode::Auto => Way::Push,
    }
}

/// Sessions for each host that this machine sends to: sshd's window limits each to some 33 MB/s at 50 ms, and several
/// hosts together fill any line.
pub(super) fn sessions(need: Need) -> usize {
    const TOGETHER: usize = 8;
    const EACH: usize = 4;
    // Less than this has come before the sessions are there.
    const WORTHWHILE: u64 = 16 << 20;
    if need.bytes < WORTHWHILE {
        return 1;
    }
    (TOGETHER / need.hosts.max(1)).clamp(1, EACH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hosts_that_lack_much_help_each_other() {
        use DistributionMode::{Auto, Peers, Push, Registry};
        let need = |hosts, mebibytes: u64| Need { hosts, bytes: mebibytes << 20 };
        for (mode, need, registry, way) in [
            (Auto, need(7, 10_000), false, Way::Push),
            (Auto, need(8, 511), false, Way::Push),
            (Auto, need(8, 512), false, Way::Peers),
            (Auto, need(1000, 100_000), true, Way::Peers),
            (Push, need(1000, 100_000), true, Way::Push),
            (Peers, need(2, 1), false, Way::Peers),
            (Registry, need(2, 1), true, Way::Registry),
            (Registry, need(1000, 100_000), false, Way::Push),
        ] {
            assert_eq!(choose(mode, need, registry), way, "{mode:?} {need:?} {registry}");
        }
    }

    #[test]
    fn few_hosts_have_several_sessions() {
        let sessions =
            |mebibytes: u64| [0, 1, 2, 3, 4, 5, 8, 1000].map(|hosts| sessions(Need { hosts, bytes: mebibytes << 20 }));
        assert_eq!(sessions(16), [4, 4, 4, 2, 2, 1, 1, 1]);
        assert_eq!(sessions(15), [1; 8]);
    }
}
