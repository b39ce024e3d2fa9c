//! Unmounts what pods and containers have mounted, last first.

use super::super::protocol::{Action, Failure};
use super::{Work, files};
use crate::desired::state::Part;

/// Below these only: a disk that the operator mounted *at* one of them stays.
const BELOW: [&str; 5] =
    ["/var/lib/kubelet/", "/run/containerd/", "/var/lib/containerd/", "/run/netns/cni-", "/opt/kubewright/"];

pub(super) fn unmount(work: &mut Work) {
    let mounts = work.look(files::mounted(work.machine));
    for path in mounts.iter().rev().filter(|path| BELOW.iter().any(|prefix| path.starts_with(prefix))) {
        work.step(Part::Kubelet, format!("mount {path}"), Action::Remove, "unmounted", |machine| {
            let unmounted = machine.system.unmount(&machine.root.at(path));
            unmounted.map_err(|error| Failure::new(format!("unmounting {path}"), error))
        });
    }
    let names = work.look(work.machine.names("/run/netns"));
    for name in names.iter().filter(|name| name.starts_with("cni-")) {
        files::remove_path(work, Part::Network, &format!("/run/netns/{name}"));
    }
}
