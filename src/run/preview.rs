//! Works out what a list of stages would do, without doing it.

use std::collections::BTreeMap;

use super::execution::Execution;
use crate::cluster::HostName;
use crate::host::protocol::Action;
use crate::plan::path::Path;
use crate::plan::preflight::Finding;
use crate::plan::{Preview, Stage, Turn, Work};

impl Execution<'_> {
    /// What `stages` would do.
    pub(super) async fn preview(&self, stages: &[Stage], path: Path, warnings: Vec<Finding>) -> Preview {
        let mut order = Vec::new();
        for stage in stages {
            let hosts: Vec<_> = self.cluster.hosts.iter().filter(|host| self.concerns(stage, host)).collect();
            if hosts.is_empty() {
                continue;
            }
            let names = |wave: Vec<&crate::cluster::Host>| wave.into_iter().map(|host| host.name.clone()).collect();
            let waves = self.waves(stage, hosts).await.into_iter().map(names).collect();
            order.push(Turn { stage: stage.name, waves, drained: matches!(stage.work, Work::Roll(_)) });
        }
        let bytes = self.cluster.hosts.iter().flat_map(|host| self.blobs(host)).map(|blob| blob.size).sum();
        Preview { path, order, restarts: self.restarts(), bytes, warnings }
    }

    fn restarts(&self) -> BTreeMap<String, Vec<HostName>> {
        let mut restarts: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
        for (host, parts) in &self.survey.changes {
            for change in parts.iter().flat_map(|part| &part.changes) {
                let unit = change.resource.strip_prefix("unit ").filter(|_| change.action == Action::Restart);
                let manifest = change.resource.strip_prefix("file /etc/kubernetes/manifests/");
                if let Some(name) = unit.or_else(|| manifest?.strip_suffix(".yaml")) {
                    restarts.entry(name.to_owned()).or_default().push(host.clone());
                }
            }
        }
        restarts
    }
}
