//! Which workers are out of service together.

use crate::cluster::Host;

/// Waves of at most `width` hosts, each within one rack: what a rack has in common (power, switch) is never at stake
/// twice at once. Racks and hosts keep their order.
pub(super) fn by_rack<'a>(hosts: &[&'a Host], width: usize) -> Vec<Vec<&'a Host>> {
    let of_rack = |rack: Vec<usize>| rack.into_iter().map(|index| hosts[index]).collect::<Vec<_>>();
    let racks = racks(hosts).into_iter().map(of_rack);
    racks.flat_map(|rack| rack.chunks(width.max(1)).map(<[&Host]>::to_vec).collect::<Vec<_>>()).collect()
}

/// The hosts of each rack, as indexes. Racks and hosts keep their order.
pub(super) fn racks(hosts: &[&Host]) -> Vec<Vec<usize>> {
    let mut racks: Vec<(Place<'_>, Vec<usize>)> = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let place = (host.idc.as_deref(), host.rack.as_deref());
        match racks.iter_mut().find(|(rack, _)| *rack == place) {
            Some((_, members)) => members.push(index),
            None => racks.push((place, vec![index])),
        }
    }
    racks.into_iter().map(|(_, members)| members).collect()
}

/// Data centre and rack. Hosts of which no rack is known count as one rack of their own.
type Place<'a> = (Option<&'a str>, Option<&'a str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::desired::fixture::worker;

    fn hosts(racks: &[u8]) -> Vec<Host> {
        let host = |(index, rack): (usize, &u8)| {
            let mut host = worker(&format!("n{index}"), index);
            host.rack = (*rack > 0).then(|| format!("r{rack}"));
            host
        };
        racks.iter().enumerate().map(host).collect()
    }

    #[test]
    fn a_rack_is_done_before_the_next_one() {
        let hosts = hosts(&[1, 2, 1, 1, 2, 0]);
        let waves = by_rack(&hosts.iter().collect::<Vec<_>>(), 2);
        let names: Vec<String> = waves
            .iter()
            .map(|wave| wave.iter().map(|host| host.name.to_string()).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(names, ["n0 n2", "n3", "n1 n4", "n5"]);
    }

    proptest! {
        #[test]
        fn every_host_is_in_one_wave_of_one_rack(racks in prop::collection::vec(0_u8..5, 0..40), width in 0_usize..9) {
            let hosts = hosts(&racks);
            let waves = by_rack(&hosts.iter().collect::<Vec<_>>(), width);
            let mut seen: Vec<String> = waves.iter().flatten().map(|host| host.name.to_string()).collect();
            prop_assert_eq!(seen.len(), hosts.len());
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), hosts.len());
            for wave in waves {
                prop_assert!(!wave.is_empty() && wave.len() <= width.max(1));
                prop_assert!(wave.iter().all(|host| host.rack == wave[0].rack));
            }
        }
    }
}
