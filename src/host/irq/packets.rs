//! Packets by receive queue, from what a driver tells `ethtool -S`. Drivers write the same number in many ways, and
//! some do not count by queue at all; then there is nothing to show, and nothing depends on it.

use std::collections::BTreeMap;

use super::super::machine::Machine;
use super::super::tool::{has_tool, tool};

/// Received packets by queue; empty where they are not known.
pub(super) fn read(machine: &Machine, nic: &str) -> BTreeMap<usize, u64> {
    if !has_tool(machine, "ethtool") {
        return BTreeMap::new();
    }
    let statistics = machine.system.run(&tool(machine, "ethtool").args(["-S", nic]));
    statistics.map_or_else(|_| BTreeMap::new(), |output| parse(&output.text()))
}

fn parse(text: &str) -> BTreeMap<usize, u64> {
    let mut packets = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.trim().rsplit_once(':')) {
        if let (Some(queue), Ok(value)) = (queue(name), value.trim().parse::<u64>()) {
            // A driver that counts kinds of packets apart tells several numbers for one queue.
            *packets.entry(queue).or_default() += value;
        }
    }
    packets
}

/// `rx_queue_3_packets`, `rx-3.packets`, `rx3_packets`, `[3]: rx_ucast_packets`, `queue_3_rx_cnt`.
fn queue(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    let counts = name.ends_with("packets") || name.ends_with("_cnt") || name.ends_with("pkts");
    if !counts || !name.contains("rx") || ["drop", "error", "xdp", "tx"].iter().any(|word| name.contains(word)) {
        return None;
    }
    let digits: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    match digits[..] {
        [one] => one.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_spell_it_in_many_ways() {
        let text = "NIC statistics:\n     rx_packets: 9\n     rx_queue_0_packets: 10\n     rx_queue_0_drops: 1\n     \
                    rx-1.packets: 20\n     rx2_packets: 30\n     [3]: rx_ucast_packets: 39\n     \
                    [3]: rx_mcast_packets: 1\n     tx_queue_0_packets: 5\n     rx4_xdp_packets: 1\n";
        assert_eq!(parse(text), BTreeMap::from([(0, 10), (1, 20), (2, 30), (3, 40)]));
        assert!(parse("no stats available").is_empty());
    }
}
