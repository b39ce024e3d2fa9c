//! Which processor a host runs on. A host has one CPU, and its kernel and its programs take turns on it: kept together
//! they pass it on about five times as fast as when they wake each other up across processors.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::LabError;

/// Keeps this process, and whatever it starts, to one processor: host number `host` of a lab shares them with the
/// others.
pub(super) fn keep_to_one(host: usize) -> Result<(), LabError> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).map_err(LabError::system("ask which processors there are"))?;
    let allowed: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    let Some(cpu) = pick(host, &allowed) else { return Ok(()) };
    let mut one = CpuSet::new();
    one.set(cpu).and_then(|()| sched_setaffinity(this, &one)).map_err(LabError::system("keep to one processor"))
}

/// To and fro over the processors: the first hosts, the masters, have more to do than the last.
fn pick(host: usize, allowed: &[usize]) -> Option<usize> {
    let count = allowed.len();
    let (round, place) = (host.checked_div(count)?, host.checked_rem(count)?);
    allowed.get(if round % 2 == 0 { place } else { count - 1 - place }).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_go_to_and_fro_over_the_processors() {
        let picks = |allowed: &[usize]| (0..5).map(|host| pick(host, allowed)).collect::<Vec<_>>();
        assert_eq!(picks(&[0, 1]), [Some(0), Some(1), Some(1), Some(0), Some(0)]);
        assert_eq!(picks(&[2, 5, 7]), [Some(2), Some(5), Some(7), Some(7), Some(5)]);
        assert_eq!(picks(&[3]), [Some(3); 5]);
        assert_eq!(picks(&[]), [None; 5]);
    }
}
