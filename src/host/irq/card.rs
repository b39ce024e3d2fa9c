//! Queues and rings of a card, through `ethtool`: asked for explicitly only, because a driver may take the link down to
//! change them.

use std::fs;
use std::path::PathBuf;

use super::super::atomic::{self, Attributes};
use super::super::command::{CommandError, Output};
use super::super::machine::{Machine, STATE};
use super::super::protocol::Failure;
use super::super::tool::{has_tool, tool};
use crate::cluster::{Queues, Rings, Spread};

/// Stands for as long as a card is being asked or changed. Some drivers take the whole host down then: where it outlives
/// a boot, that card is left alone until somebody has removed it.
const TRIAL: &str = "card-trial";

/// Longer rings add latency and take memory that the cache would have.
const LONGEST_RING: u32 = 4096;

/// A change of a card that `ethtool` makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct CardChange {
    /// For people: `queues 2 → 4`.
    pub(in crate::host) summary: String,
    arguments: Vec<String>,
}

impl CardChange {
    /// Makes it.
    pub(in crate::host) fn make(&self, machine: &Machine, nic: &str) -> Result<(), Failure> {
        ethtool(machine, nic, self.arguments.iter().cloned())?.map(drop).map_err(|error| {
            let hint =
                "the driver refuses it: see what the card can with `ethtool -l` and `ethtool -g`, or leave it out";
            Failure::command(&format!("{} of {nic}", self.summary), &error).hint(hint)
        })
    }
}

/// Whether anything of a card is asked for.
pub(in crate::host) fn is_asked(spread: &Spread) -> bool {
    spread.queues.is_some() || spread.rings.is_some()
}

/// Whether cards can be asked.
pub(in crate::host) fn is_known(machine: &Machine) -> bool {
    has_tool(machine, "ethtool")
}

/// A note that stands while a card is asked or changed.
struct Trial(PathBuf);

impl Trial {
    /// Fails where one has not ended since the boot before this one.
    fn begin(machine: &Machine, nic: &str) -> Result<Self, Failure> {
        let path = format!("{STATE}/{TRIAL}-{nic}");
        let boot = machine.text("/proc/sys/kernel/random/boot_id")?.unwrap_or_default();
        if machine.text(&path)?.is_some_and(|other| other.trim() != boot.trim()) {
            let why = "the host went down while queues or rings of this card were looked at or changed";
            let hint = format!(
                "its driver may be at fault: leave `queues` and `rings` out of `kernel.irq` for this host; to try once \
                 more, remove {path} on it"
            );
            return Err(Failure::new(format!("queues and rings of {nic}"), why).hint(hint));
        }
        let place = machine.own_directory(STATE)?.join(format!("{TRIAL}-{nic}"));
        let noted = atomic::write(&place, boot.as_bytes(), Attributes { mode: 0o600, owner: None });
        noted.map_err(|error| Failure::new(format!("writing {path}"), error))?;
        Ok(Self(place))
    }

    fn end(self) -> Result<(), Failure> {
        fs::remove_file(&self.0).map_err(|error| Failure::new(format!("removing {}", self.0.display()), error))
    }
}

/// Runs ethtool on a card, with a note for as long as it runs; its own failure is an answer.
fn ethtool<A: Into<String>>(
    machine: &Machine,
    nic: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<Result<Output, CommandError>, Failure> {
    let trial = Trial::begin(machine, nic)?;
    let answer = machine.system.run(&tool(machine, "ethtool").args(arguments));
    trial.end()?;
    Ok(answer)
}

/// What is to change of the card `nic`, whose node has so many cores. A card that can do neither has nothing to change.
pub(in crate::host) fn changes(
    machine: &Machine,
    nic: &str,
    cores: usize,
    spread: &Spread,
) -> Result<Vec<CardChange>, Failure> {
    if !is_asked(spread) {
        return Ok(Vec::new());
    }
    if !is_known(machine) {
        let hint = "use an image whose host-tools have it, install the package on the host, or leave `queues` and \
                    `rings` out of `kernel.irq`";
        return Err(Failure::new(format!("queues and rings of {nic}"), "there is no program ethtool").hint(hint));
    }
    let mut changes = Vec::new();
    if let Some(queues) = spread.queues
        && let Some(table) = ask(machine, "-l", nic)?
        && let (Some(most), Some(now)) = (table.most("Combined"), table.now("Combined"))
    {
        let wanted = match queues {
            Queues::Cores => u32::try_from(cores).unwrap_or(u32::MAX),
            Queues::Number(number) => number,
        };
        changes.extend(change("-L", nic, "combined", "queues", now, wanted.clamp(1, most.max(1))));
    }
    if let Some(rings) = spread.rings
        && let Some(table) = ask(machine, "-g", nic)?
    {
        for (name, argument, what) in [("RX", "rx", "receive ring"), ("TX", "tx", "transmit ring")] {
            let (Some(most), Some(now)) = (table.most(name), table.now(name)) else { continue };
            let wanted = match rings {
                Rings::Max => most.min(LONGEST_RING),
                Rings::Number(number) => number.min(most),
            };
            changes.extend(change("-G", nic, argument, what, now, wanted));
        }
    }
    Ok(changes)
}

fn change(flag: &str, nic: &str, argument: &str, what: &str, now: u32, wanted: u32) -> Option<CardChange> {
    let arguments = vec![flag.to_owned(), nic.to_owned(), argument.to_owned(), wanted.to_string()];
    (now != wanted).then(|| CardChange { summary: format!("{what} {now} → {wanted}"), arguments })
}

/// What `ethtool -l` and `-g` print: the most, and below it what is set.
struct Table {
    most: Vec<(String, u32)>,
    now: Vec<(String, u32)>,
}

impl Table {
    fn parse(text: &str) -> Self {
        let (most, now) = text.split_once("Current hardware settings").unwrap_or((text, ""));
        let line = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().parse().ok()?))
        };
        let read = |text: &str| text.lines().filter_map(line).collect();
        Self { most: read(most), now: read(now) }
    }

    fn most(&self, name: &str) -> Option<u32> {
        self.most.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    fn now(&self, name: &str) -> Option<u32> {
        self.now.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// None when the driver does not know such a thing, which it says by failing.
fn ask(machine: &Machine, flag: &str, nic: &str) -> Result<Option<Table>, Failure> {
    match ethtool(machine, nic, [flag, nic])? {
        Ok(output) => Ok(Some(Table::parse(&output.text()))),
        Err(error) if error.reason().contains("not supported") => Ok(None),
        Err(error) => Err(Failure::command(&format!("looking at {nic}"), &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    const CHANNELS: &str = "Channel parameters for eth1:\nPre-set maximums:\nRX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\n\
        Combined:\t4\nCurrent hardware settings:\nRX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\nCombined:\t2\n";
    const RINGS: &str = "Ring parameters for eth1:\nPre-set maximums:\nRX:\t\t8192\nRX Mini:\tn/a\nTX:\t\t1024\n\
        Current hardware settings:\nRX:\t\t256\nRX Mini:\tn/a\nTX:\t\t1024\n";

    fn host() -> Scripted {
        let host = Scripted::new();
        host.put("/usr/sbin/ethtool", "");
        std::fs::set_permissions(host.at("/usr/sbin/ethtool"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        host
    }

    fn summaries(host: &Scripted, queues: Option<Queues>, rings: Option<Rings>) -> Vec<String> {
        let spread = Spread { queues, rings, ..Spread::default() };
        let changes = changes(&host.machine, "eth1", 12, &spread).unwrap();
        host.done();
        changes.into_iter().map(|change| change.summary).collect()
    }

    #[test]
    fn queues_follow_the_cores_as_far_as_the_card_can() {
        let host = host();
        assert_eq!(summaries(&host, None, None), <[String; 0]>::default(), "nothing is even asked");
        for (queues, expected) in [
            (Queues::Cores, vec!["queues 2 → 4"]),
            (Queues::Number(2), vec![]),
            (Queues::Number(1), vec!["queues 2 → 1"]),
        ] {
            host.expect("ethtool -l eth1", CHANNELS);
            assert_eq!(summaries(&host, Some(queues), None), expected);
        }
    }

    #[test]
    fn rings_are_as_long_as_makes_sense() {
        let host = host();
        host.expect("ethtool -g eth1", RINGS);
        assert_eq!(summaries(&host, None, Some(Rings::Max)), ["receive ring 256 → 4096"]);
        host.expect("ethtool -g eth1", RINGS);
        assert_eq!(
            summaries(&host, None, Some(Rings::Number(2048))),
            ["receive ring 256 → 2048"],
            "the other is as long as it can be"
        );
    }

    #[test]
    fn a_card_that_cannot_is_left_alone_and_other_errors_are_told() {
        let host = host();
        host.expect_failure("ethtool -l eth1", "netlink error: Operation not supported\n");
        assert!(summaries(&host, Some(Queues::Cores), None).is_empty());
        host.expect_failure("ethtool -l eth1", "netlink error: No such device\n");
        let spread = Spread { queues: Some(Queues::Cores), ..Spread::default() };
        assert!(changes(&host.machine, "eth1", 2, &spread).unwrap_err().why.contains("No such device"));
        let bare = Scripted::new();
        assert!(changes(&bare.machine, "eth1", 2, &spread).unwrap_err().to_string().contains("no program ethtool"));
    }

    #[test]
    fn a_card_that_took_the_host_down_is_left_alone() {
        let host = host();
        host.put("/proc/sys/kernel/random/boot_id", "first\n");
        let note = "/var/lib/kubewright/card-trial-eth1";
        let here = host.at(note);
        host.expect_effect("ethtool -l eth1", CHANNELS, move |_| assert!(here.exists(), "noted before it is asked"));
        assert_eq!(summaries(&host, Some(Queues::Cores), None).len(), 1);
        assert!(!host.at(note).exists());
        // Killed in the middle: in the same boot the host has survived it.
        host.put(note, "first\n");
        host.expect("ethtool -l eth1", CHANNELS);
        assert_eq!(summaries(&host, Some(Queues::Cores), None).len(), 1);
        host.put(note, "first\n");
        host.put("/proc/sys/kernel/random/boot_id", "second\n");
        let spread = Spread { queues: Some(Queues::Cores), ..Spread::default() };
        let failure = changes(&host.machine, "eth1", 12, &spread).unwrap_err();
        host.done();
        assert!(failure.why.contains("went down") && failure.hint.unwrap().contains(note));
    }
}
