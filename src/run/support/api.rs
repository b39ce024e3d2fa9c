//! What the API tells, through whichever master answers.

use std::time::Duration;

use tokio::time::timeout;

use super::super::api::ApiAccess;
use super::super::failure::RunError;
use super::super::fleet::Fleet;
use super::super::subject::Subject;
use super::super::survey::{self, Survey};
use super::archive::Archive;
use crate::kube::{Api, GLANCES};

/// For keys, and for each list.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn collect(subject: &Subject<'_>, fleet: &Fleet, archive: &Archive) {
    let late = || format!("not within {} s", LIMIT.as_secs());
    let seen = timeout(LIMIT, survey::seen(subject.cluster, fleet)).await;
    let keys =
        seen.map_err(|_| late()).and_then(|seen| Survey::keys_of(subject, seen.ok).map_err(|error| error.to_string()));
    let keys = match keys {
        Ok(keys) => keys,
        Err(why) => return archive.lacks("api/", why),
    };
    let access = ApiAccess::new(subject.cluster, fleet, &keys);
    // One that does not answer is asked for nothing more.
    let first = timeout(LIMIT, access.call("read the version", async |api: &Api| api.version().await)).await;
    match first.map_err(|_| late()).and_then(|answer| answer.map_err(|failures| RunError::Failed(failures).to_string()))
    {
        Ok(version) => archive.add("api/version.txt", format!("{version}\n")).await,
        Err(why) => return archive.lacks("api/", why),
    }
    for glance in GLANCES {
        let place = format!("api/{}.json", glance.name);
        let what = format!("list the {}", glance.name);
        match timeout(LIMIT, access.call(&what, async |api: &Api| api.glance(glance).await)).await {
            Ok(Ok(document)) => archive.add_json(&place, &document).await,
            Ok(Err(failures)) => archive.lacks(place, RunError::Failed(failures)),
            Err(_) => archive.lacks(place, late()),
        }
    }
}
