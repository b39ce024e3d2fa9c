//! A wait: looks again and again, tells what is missing whenever that changes, and has a deadline. What is waited for
//! is the caller's business.

use std::time::{Duration, Instant};

use super::failure::HostFailure;
use super::fleet::Fleet;
use crate::report::{Event, Events};

/// Time between the first two looks; each next one waits longer. What is waited for starts up on the same processors
/// that answer the looks.
const FIRST: Duration = Duration::from_millis(500);
/// Most time between two looks.
const LONGEST: Duration = Duration::from_secs(2);

/// What is waited for, how long, and who hears of it.
pub(super) struct Wait<'a> {
    /// Stage that waits.
    pub(super) stage: &'a str,
    /// What is waited for, in words.
    pub(super) what: &'a str,
    /// How long.
    pub(super) limit: Duration,
    /// What to do when it never comes.
    pub(super) hint: &'a str,
    /// Hosts whose loss ends the wait: nothing can be proven there any more.
    pub(super) fleet: &'a Fleet,
    /// Who hears what is missing.
    pub(super) events: &'a Events,
}

impl Wait<'_> {
    /// Waits until `look` finds nothing missing. The failure tells what was missing at the deadline; a look that fails,
    /// or a session that has ended, ends the wait at once.
    pub(super) async fn until(
        &self,
        mut look: impl AsyncFnMut() -> Result<Vec<String>, Vec<HostFailure>>,
    ) -> Result<(), Vec<HostFailure>> {
        let deadline = Instant::now() + self.limit;
        let mut told = Vec::new();
        let mut interval = FIRST;
        loop {
            let missing = look().await?;
            if missing.is_empty() {
                return Ok(());
            }
            let lost = self.fleet.lost();
            if !lost.is_empty() {
                return Err(lost);
            }
            if Instant::now() >= deadline {
                let why = format!("not within {} s: {}", self.limit.as_secs(), missing.join("; "));
                return Err(vec![HostFailure::cluster(format!("wait for {}", self.what), why).hint(self.hint)]);
            }
            if missing != told {
                told.clone_from(&missing);
                self.events.send(Event::Waiting { stage: self.stage.into(), gate: self.what.into(), missing });
            }
            tokio::time::sleep(interval).await;
            interval = (interval * 5 / 4).min(LONGEST);
        }
    }
}
