//! What the stages of a run and its gates share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use super::api::ApiAccess;
use super::fleet::Fleet;
use super::rolling::Rolling;
use super::subject::Subject;
use super::survey::Survey;
use crate::cluster::{Cluster, KubeVersion};
use crate::host::protocol::Upgrade;
use crate::image::OpenImage;
use crate::kube::Pruning;
use crate::report::Events;

/// Everything that stages work with.
pub(super) struct Execution<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) image: &'a OpenImage,
    pub(super) fleet: &'a Fleet,
    pub(super) survey: &'a Survey,
    pub(super) api: &'a ApiAccess<'a>,
    pub(super) events: &'a Events,
    /// Hashes of the static pods that this run replaces.
    pub(super) replaced: BTreeMap<String, String>,
    /// How it goes through nodes.
    pub(super) rolling: Rolling,
    /// The upgrade that it makes or takes back: under this name everything is kept of before.
    pub(super) upgrade: Upgrade,
    /// What it removes of that which add-ons have no longer.
    pub(super) pruning: Pruning,
    /// Changes that it has made so far.
    pub(super) made: AtomicUsize,
    /// Name of the backup that it makes, where it makes one.
    pub(super) backup: String,
}

impl<'a> Execution<'a> {
    /// One that goes through nodes as the inventory says, replaces nothing and makes no backup.
    pub(super) fn of(
        subject: &Subject<'a>,
        fleet: &'a Fleet,
        survey: &'a Survey,
        api: &'a ApiAccess<'a>,
        events: &'a Events,
    ) -> Self {
        let (cluster, image) = (subject.cluster, subject.image);
        let upgrade = Upgrade { to: image.digest.clone() };
        let (replaced, rolling, backup) = (BTreeMap::new(), Rolling::of(&cluster.upgrade), String::new());
        Self {
            cluster,
            image,
            fleet,
            survey,
            api,
            events,
            replaced,
            rolling,
            upgrade,
            pruning: Pruning::default(),
            made: AtomicUsize::new(0),
            backup,
        }
    }

    /// The version of Kubernetes that the run installs.
    pub(super) fn version(&self) -> KubeVersion {
        self.image.manifest.kubernetes
    }
}
