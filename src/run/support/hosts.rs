//! What the hosts collect, all at once, each for so long and no longer.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::failure::remote;
use super::super::fleet::{Fleet, Member, unexpected};
use super::Wanted;
use super::archive::Archive;
use crate::cluster::HostName;
use crate::host::protocol::{Collect, Failure, Reply, Secrets, ToAgent};
use crate::remote::RemoteError;

/// A host that takes longer is one whose disk is stuck; the others must not wait for it for ever.
const HOST: Duration = Duration::from_secs(180);
/// Longer than the host gives any program.
const SOURCE: Duration = Duration::from_secs(60);
/// Texts in memory at a time, whatever the number of hosts.
const TEXTS: usize = 16;

/// Collects from every host of `fleet` that is wished for.
pub(super) async fn collect(
    fleet: &Fleet,
    wished: impl Fn(&HostName) -> bool,
    wanted: &Wanted<'_>,
    secrets: &[String],
    archive: &Archive,
) {
    let texts = Semaphore::new(TEXTS);
    let hosts = fleet.each(
        |host| wished(&host.name),
        async |member: &Member| {
            let mut agent = member.further_agent().await.map_err(|error| remote("start the agent", error))?;
            let ask = async |request| agent.request_within(request, SOURCE, &mut |_| {}).await;
            from(&member.host.name, ask, wanted, secrets, &texts, archive).await;
            Ok(())
        },
    );
    for failure in hosts.await.failed {
        let host = failure.host.as_ref().map_or("", |host| host.as_str());
        archive.lacks(format!("hosts/{host}/"), &failure.failure);
    }
}

/// Collects what the host behind `ask` has. What has not come in time is missing.
pub(super) async fn from(
    host: &HostName,
    mut ask: impl AsyncFnMut(ToAgent) -> Result<Reply, RemoteError>,
    wanted: &Wanted<'_>,
    secrets: &[String],
    texts: &Semaphore,
    archive: &Archive,
) {
    let left = RefCell::new(vec![String::new()]);
    let work = async {
        let sources = match sources(&mut ask, wanted.seconds).await {
            Ok(sources) => sources,
            Err(failure) => {
                left.borrow_mut().clear();
                return archive.lacks(format!("hosts/{host}/"), failure);
            }
        };
        *left.borrow_mut() = sources.into_iter().rev().collect();
        loop {
            let Some(source) = left.borrow().last().cloned() else { return };
            let _text = texts.acquire().await;
            let place = format!("hosts/{host}/{source}");
            let secrets = Secrets(secrets.to_vec());
            let request = Collect { source, seconds: wanted.seconds, bytes: wanted.bytes, secrets };
            match ask(ToAgent::Collect(request)).await {
                Ok(Reply::Collected { text }) => archive.add(place, text).await,
                Ok(other) => archive.lacks(place, unexpected::<Reply>("collect", &other)),
                Err(error) => {
                    let is_over = !matches!(error, RemoteError::Agent { .. });
                    archive.lacks(place, remote("collect", error));
                    if is_over {
                        left.borrow_mut().pop();
                        return;
                    }
                }
            }
            left.borrow_mut().pop();
        }
    };
    let late = timeout(HOST, work).await.is_err();
    let why =
        if late { format!("not within {} s", HOST.as_secs()) } else { "the session with the host has ended".into() };
    for source in left.into_inner().iter().rev() {
        archive.lacks(format!("hosts/{host}/{source}"), &why);
    }
}

async fn sources(
    ask: &mut impl AsyncFnMut(ToAgent) -> Result<Reply, RemoteError>,
    seconds: u64,
) -> Result<Vec<String>, Failure> {
    let what = "look for what can be collected";
    match ask(ToAgent::Sources { seconds }).await.map_err(|error| remote(what, error))? {
        Reply::Sources { names } => Ok(names),
        other => Err(unexpected(what, &other)),
    }
}
