//! One run per cluster. The agents on the etcd and control-plane hosts hold a file lock for as long as their session
//! lives; it dies with the session, so it cannot go stale.

use super::failure::RunError;
use super::fleet::{Fleet, unexpected};
use crate::cluster::{Host, Role};
use crate::host::protocol::{Holder, Reply, ToAgent};

/// Takes the lock on every host that keeps state, or says who has it. The first host decides between two runs that
/// begin at the same moment: only its winner goes on to the others.
pub(super) async fn take(fleet: &Fleet, verb: &str) -> Result<(), RunError> {
    let holder = holder(verb);
    let Some(first) = fleet
        .members()
        .map(|member| member.host.name.clone())
        .find(|name| fleet.member(name).is_some_and(|member| keeps_state(&member.host)))
    else {
        return Ok(());
    };
    take_on(fleet, |host| host.name == first, &holder).await?;
    take_on(fleet, |host| keeps_state(host) && host.name != first, &holder).await
}

async fn take_on(fleet: &Fleet, select: impl Fn(&Host) -> bool, holder: &Holder) -> Result<(), RunError> {
    let outcomes = fleet
        .each(select, async |member| {
            match member.ask("take the run lock", ToAgent::Lock { holder: holder.clone() }).await? {
                Reply::Locked => Ok(None),
                Reply::Held { by } => Ok(Some(by)),
                other => Err(unexpected("take the run lock", &other)),
            }
        })
        .await;
    if let Some(by) = outcomes.ok.into_values().flatten().next() {
        return Err(RunError::Locked { by });
    }
    if outcomes.failed.is_empty() { Ok(()) } else { Err(RunError::Failed(outcomes.failed)) }
}

/// Who works on the cluster right now, as far as the hosts tell.
pub(super) async fn holder_now(fleet: &Fleet) -> Option<Holder> {
    let outcomes = fleet
        .each(keeps_state, async |member| match member.ask("look for another run", ToAgent::Holder).await? {
            Reply::Held { by } => Ok(Some(by)),
            Reply::Free => Ok(None),
            other => Err(unexpected("look for another run", &other)),
        })
        .await;
    outcomes.ok.into_values().flatten().next()
}

fn keeps_state(host: &Host) -> bool {
    host.roles.contains(Role::Etcd) || host.roles.contains(Role::ControlPlane)
}

fn holder(verb: &str) -> Holder {
    let text = |value: Option<std::ffi::OsString>| value.map(|text| text.to_string_lossy().into_owned());
    Holder {
        user: nix::unistd::User::from_uid(nix::unistd::getuid())
            .ok()
            .flatten()
            .map_or_else(|| "unknown".to_owned(), |user| user.name),
        host: text(nix::unistd::gethostname().ok()).unwrap_or_else(|| "unknown".to_owned()),
        pid: std::process::id(),
        verb: verb.to_owned(),
        since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}
