//! In which order living members of a quorum are changed.

use crate::cluster::{Host, HostName};

/// Whether a line of what is missing is about `host`.
pub(super) fn is_about(line: &str, host: &Host) -> bool {
    line.starts_with(&format!("{}:", host.name))
}

/// Mends what is broken before it touches what holds the quorum.
pub(super) fn unwell_first(waves: &mut [Vec<&Host>], missing: &[String]) {
    waves.sort_by_key(|wave| {
        let unwell = |host: &&Host| missing.iter().any(|line| is_about(line, host));
        // The first wave may hold several: hosts where nothing runs yet.
        !(wave.len() > 1 || wave.iter().any(unwell))
    });
}

/// Each change of a leader is a pause for everybody: with the leader last there is one at most.
pub(super) fn leader_last(waves: &mut [Vec<&Host>], leader: &HostName) {
    waves.sort_by_key(|wave| wave.iter().any(|host| host.name == *leader));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;

    fn order(waves: &[Vec<&Host>]) -> String {
        waves.iter().flatten().map(|host| host.name.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn who_is_not_well_comes_first() {
        let fixture = Fixture::new(36);
        let host = |name: &str| fixture.host(name);
        let mut waves = vec![vec![host("m1")], vec![host("m2")], vec![host("m3")]];
        unwell_first(&mut waves, &["m3: apiserver does not answer".to_owned()]);
        assert_eq!(order(&waves), "m3 m1 m2");
        let mut waves = vec![vec![host("m1"), host("m2")], vec![host("m3")]];
        unwell_first(&mut waves, &["m3: etcd has no leader".to_owned()]);
        assert_eq!(order(&waves), "m1 m2 m3");
    }

    #[test]
    fn the_leader_comes_last_unless_it_is_not_well() {
        let fixture = Fixture::new(36);
        let mut waves: Vec<_> = ["m1", "m2", "m3"].map(|name| vec![fixture.host(name)]).into();
        leader_last(&mut waves, &HostName::parse("m1").unwrap());
        assert_eq!(order(&waves), "m2 m3 m1");
        unwell_first(&mut waves, &["m3: etcd reports an alarm".to_owned()]);
        assert_eq!(order(&waves), "m3 m2 m1");
    }
}
