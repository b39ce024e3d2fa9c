//! What drivers call the interrupts of their queues: `eth0-TxRx-3`, `i40e-eth0-TxRx-3`, `mlx5_comp3@pci:0000:3b:00.0`,
//! `virtio0-input.3`, `eth0 (queue 3)`, and dozens of others. They agree on a number at the end.

/// Words in the names of interrupts that belong to no queue.
const OTHERS: [&str; 12] =
    ["async", "cmd", "config", "control", "ctrl", "event", "fdir", "lsc", "mgmnt", "mgmt", "misc", "pages"];
/// Words that a number may follow without anything between.
const WORDS: [&str; 6] = ["comp", "input", "output", "queue", "rx", "tx"];

/// The queue that an interrupt called `name` belongs to; none for those of mailboxes, link changes and the like.
pub(super) fn queue(name: &str) -> Option<usize> {
    // What follows is the address of the device.
    let name = name.split('@').next().unwrap_or_default().to_ascii_lowercase();
    if OTHERS.iter().any(|word| name.contains(word)) {
        return None;
    }
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let before = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // A name of nothing but the interface's is not a queue's: its number is the interface's own.
    let numbered = before.contains(['-', '_', '.', ' ']) || WORDS.iter().any(|word| before.contains(word));
    if numbered { name[before.len()..].parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_told_from_everything_else() {
        for (name, expected) in [
            ("eth0-TxRx-11", Some(11)),
            ("i40e-ens1f0-TxRx-3", Some(3)),
            ("ice-ens1f0-TxRx-31", Some(31)),
            ("bnxt_en-eth2-TxRx-7", Some(7)),
            ("eth0-rx-0", Some(0)),
            ("eth0-tx-0", Some(0)),
            ("eth4-fp-2", Some(2)),
            ("eth0-q5", Some(5)),
            ("ens192-rxtx-1", Some(1)),
            ("hinic_rx4", Some(4)),
            ("mlx5_comp12@pci:0000:3b:00.0", Some(12)),
            ("mlx4-1@0000:04:00.0", Some(1)),
            ("ena-eth0-Tx-Rx-3", Some(3)),
            ("virtio0-input.3", Some(3)),
            ("virtio0-output.3", Some(3)),
            ("eth0 (queue 3)", Some(3)),
            ("virtio0-config", None),
            ("eth0", None),
            ("ens3f0", None),
            ("eth0:lsc", None),
            ("mlx5_async0@pci:0000:3b:00.0", None),
            ("mlx5_cmd_eq@pci:0000:3b:00.0", None),
            ("mlx5_pages_eq@pci:0000:3b:00.0", None),
            ("mlx4-async@pci:0000:04:00.0", None),
            ("i40e-0000:5e:00.0:misc", None),
            ("i40e-0000:5e:00.0:fdir-TxRx-0", None),
            ("ena-mgmnt@pci:0000:00:05.0", None),
            ("", None),
        ] {
            assert_eq!(queue(name), expected, "{name}");
        }
    }
}
