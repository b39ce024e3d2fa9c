//! What has to be tried on hosts before checks can judge it: clocks, disks, modules, the ways between hosts. Leaves
//! nothing behind.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, unexpected};
use super::survey::Survey;
use crate::cluster::{Cluster, DiskUse, HostName, Role};
use crate::desired::disk::Disk;
use crate::desired::state::{Part, Resource};
use crate::host::protocol::{Failure, Probe, Probed};
use crate::plan::preflight::{Measured, Problem, Target, settings, targets};

/// Looks at a clock; the quickest of them counts.
const LOOKS: usize = 3;

/// Tries everything, on all hosts at once.
pub(super) async fn measure(cluster: &Cluster, fleet: &Fleet, survey: &Survey) -> Result<Measured, RunError> {
    let alone = fleet.each(|_| true, async |member| alone(member, survey).await).await;
    let mut measured = Measured::default();
    for (host, found) in alone.all().map_err(RunError::Failed)? {
        measured.clocks.insert(host.clone(), found.clock);
        measured.missing_modules.insert(host.clone(), found.missing_modules);
        measured.unusable_disks.insert(host.clone(), found.unusable_disks);
        measured.missing_settings.insert(host.clone(), found.missing_settings);
        measured.syncs.extend(found.sync.map(|sync| (host, sync)));
    }
    measured.unreachable = ways(cluster, fleet).await.map_err(RunError::Failed)?;
    Ok(measured)
}

/// What a host tells without the others.
struct Alone {
    clock: i64,
    sync: Option<Duration>,
    missing_modules: Vec<String>,
    unusable_disks: Vec<Problem>,
    missing_settings: Vec<String>,
}

async fn alone(member: &Member, survey: &Survey) -> Result<Alone, Failure> {
    let clock = clock(member).await?;
    // Beside a living member the trial itself would slow it down, and it has proven its disk already.
    let units = survey.facts.get(&member.host.name).map(|facts| &facts.units);
    let lives = units.and_then(|units| units.get("etcd.service")).is_some_and(|state| state == "active");
    // A disk of etcd's own that is still to be mounted cannot be tried yet, and the one below is not it.
    let mounts = survey.facts.get(&member.host.name).map(|facts| facts.mounts.as_slice()).unwrap_or_default();
    let data = DiskUse::Etcd.mount_point();
    let elsewhere = member.host.disks.iter().any(|disk| disk.purpose == DiskUse::Etcd)
        && mounts.iter().all(|mount| mount.path != data);
    let sync = if member.host.roles.contains(Role::Etcd) && !lives && !elsewhere {
        match member.probe(Probe::Syncs).await? {
            Probed::Syncs { p99_microseconds } => Some(Duration::from_micros(p99_microseconds)),
            other => return Err(unexpected("try etcd's disk", &other)),
        }
    } else {
        None
    };
    let names = modules(survey, &member.host.name);
    let missing_modules = match member.probe(Probe::Modules { names }).await? {
        Probed::Missing { names } => names,
        other => return Err(unexpected("look for kernel modules", &other)),
    };
    let unusable_disks = unusable_disks(member, disks(survey, &member.host.name)).await?;
    let missing_settings = missing_files(member, settings(&member.host)).await?;
    Ok(Alone { clock, sync, missing_modules, unusable_disks, missing_settings })
}

async fn missing_files(member: &Member, paths: Vec<String>) -> Result<Vec<String>, Failure> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    match member.probe(Probe::Files { paths }).await? {
        Probed::Missing { names } => Ok(names),
        other => Err(unexpected("look for kernel settings", &other)),
    }
}

async fn unusable_disks(member: &Member, disks: Vec<Disk>) -> Result<Vec<Problem>, Failure> {
    if disks.is_empty() {
        return Ok(Vec::new());
    }
    match member.probe(Probe::Disks { disks }).await? {
        Probed::Unusable { problems } => {
            let problem =
                |found: Failure| Problem { hint: found.hint.clone().unwrap_or_default(), message: found.to_string() };
            Ok(problems.into_iter().map(problem).collect())
        }
        other => Err(unexpected("look at the data disks", &other)),
    }
}

fn disks(survey: &Survey, host: &HostName) -> Vec<Disk> {
    let part = survey.states.get(host).and_then(|state| state.part(Part::Disks));
    let disks = |resource: &Resource| match resource {
        Resource::Disks(disks) => disks.disks.clone(),
        _ => Vec::new(),
    };
    part.into_iter().flat_map(|part| &part.resources).flat_map(disks).collect()
}

fn modules(survey: &Survey, host: &HostName) -> Vec<String> {
    let part = survey.states.get(host).and_then(|state| state.part(Part::Kernel));
    let name = |resource: &Resource| match resource {
        Resource::Module(module) => Some(module.name.clone()),
        _ => None,
    };
    part.into_iter().flat_map(|part| &part.resources).filter_map(name).collect()
}

/// Milliseconds by which the host's clock is before ours. The answer is taken to be from half-way between question and
/// arrival, which is best where both are close.
async fn clock(member: &Member) -> Result<i64, Failure> {
    let mut best: Option<(i64, i64)> = None;
    for _ in 0..LOOKS {
        let asked = now();
        let milliseconds = match member.probe(Probe::Clock).await? {
            Probed::Clock { milliseconds } => milliseconds,
            other => return Err(unexpected("look at the clock", &other)),
        };
        let answered = now();
        let round = answered - asked;
        if best.is_none_or(|(least, _)| round < least) {
            best = Some((round, milliseconds - (asked + round / 2)));
        }
    }
    Ok(best.map_or(0, |(_, offset)| offset))
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Everybody listens, everybody connects, everybody is quiet again.
async fn ways(cluster: &Cluster, fleet: &Fleet) -> Result<BTreeMap<HostName, Vec<(Target, String)>>, Vec<HostFailure>> {
    let wanted: BTreeMap<&HostName, Vec<Target>> =
        cluster.hosts.iter().map(|host| (&host.name, targets(cluster, host))).collect();
    let mut listening: BTreeMap<&HostName, Vec<SocketAddr>> = BTreeMap::new();
    for target in wanted.values().flatten() {
        let own = listening.entry(&target.host).or_default();
        if !own.contains(&target.address) {
            own.push(target.address);
        }
    }
    let listen = async |member: &Member| {
        let addresses = listening.get(&member.host.name).cloned().unwrap_or_default();
        member.probe(Probe::Listen { addresses }).await.map(drop)
    };
    fleet.each(|_| true, listen).await.all()?;
    let reach = async |member: &Member| {
        let addresses = wanted.get(&member.host.name).into_iter().flatten().map(|target| target.address).collect();
        match member.probe(Probe::Reach { addresses }).await? {
            Probed::Unreached { addresses } => Ok(addresses),
            other => Err(unexpected("connect to the other hosts", &other)),
        }
    };
    let reached = fleet.each(|_| true, reach).await.all();
    fleet.each(|_| true, async |member| member.probe(Probe::Hush).await.map(drop)).await.all()?;
    let mut unreachable = BTreeMap::new();
    for (host, mut why) in reached? {
        let targets = wanted.get(&host).into_iter().flatten();
        let lost = targets.filter_map(|target| Some((target.clone(), why.remove(&target.address)?))).collect();
        unreachable.insert(host, lost);
    }
    Ok(unreachable)
}
