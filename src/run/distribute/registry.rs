//! A registry as hosts see it.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::host::protocol::Failure;
use crate::host::transfer::Source;
use crate::image::{Blob, BlobAccess, Origin};

/// Tokens of registries hold for five minutes at the least, mostly; a host that is given one uses it at once.
const FRESH: Duration = Duration::from_secs(60);

/// Where hosts find the blobs of the cluster image by themselves.
pub struct Registry<'a> {
    origin: Option<&'a Origin>,
    /// What the registry said, and when. A refusal counts as long: a thousand hosts must not wait for each its own.
    access: Mutex<Option<(Instant, Result<BlobAccess, Failure>)>>,
}

impl<'a> Registry<'a> {
    /// The registry that the image came from.
    pub fn of(origin: &'a Origin) -> Self {
        Self { origin: Some(origin), access: Mutex::new(None) }
    }

    /// A registry that is always read in the same way.
    pub fn fixed(access: BlobAccess) -> Self {
        Self { origin: None, access: Mutex::new(Some((Instant::now(), Ok(access)))) }
    }

    /// Where `blob` is, and how it is read now.
    pub(super) async fn source(&self, blob: &Blob) -> Result<Source, Failure> {
        let access = self.access(blob).await?;
        let url = format!("{}sha256:{}", access.blobs, blob.sha256);
        let headers = access.authorization.into_iter().map(|value| ("authorization".to_owned(), value)).collect();
        Ok(Source::Web { url, headers, authorities: access.authorities })
    }

    async fn access(&self, blob: &Blob) -> Result<BlobAccess, Failure> {
        // All who wait here get what the first one is told.
        let mut access = self.access.lock().await;
        let old = |at: &Instant| self.origin.is_some() && at.elapsed() >= FRESH;
        if let Some((at, access)) = &*access
            && !old(at)
        {
            return access.clone();
        }
        let what = "ask the registry how hosts can read it";
        let origin = self.origin.ok_or_else(|| Failure::new(what, "there is none"))?;
        let new = origin.blob_access(blob).await.map_err(|error| Failure::new(what, error));
        *access = Some((Instant::now(), new.clone()));
        new
    }
}
