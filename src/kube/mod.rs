//! The Kubernetes API through a tunnel: server-side apply, nodes, gates, drain.
//!
//! Everything the installer asks of a server goes through [`Api`], as one field manager, `kubewright`. Objects are
//! JSON documents of any kind and any version of Kubernetes: nothing here passes through types of one version, which
//! would drop the fields they do not know. A gate is one observation that returns what is still missing; whoever
//! waits loops over it with a deadline.

mod addons;
mod api;
mod apply;
mod canary;
mod change;
mod classify;
mod cluster_uid;
mod concurrency;
mod control_plane;
mod cordon;
mod crash;
mod crds;
mod diff;
mod display;
mod dns;
mod drain;
mod error;
mod evict;
mod fields;
mod findings;
mod foreign;
mod grace_period;
mod identity;
mod kept;
mod kinds;
mod leases;
mod marks;
mod node_gate;
mod node_marks;
mod nodes;
mod object;
mod operation;
mod peering;
mod pods;
mod probe_pods;
mod rbac;
mod resource;
mod retry;
#[cfg(test)]
mod scripted;
mod steady;
mod support;
mod watch;
mod webhook;
mod workloads;

pub use addons::{Addon, AddonChanges, Pruning, Roster};
pub use api::Api;
pub use canary::{CANARY_PORT, Canary};
pub use change::{Action, ObjectChange};
pub use control_plane::{ControlPlaneExpected, ControlPlaneGap, StaticPod};
pub use cordon::{Cordon, OurCordon};
pub use crash::Crash;
pub use drain::{DrainOptions, EmptyDirs, Hold, Undrained, UnmanagedPods};
pub use error::{Attempt, KubeError};
pub use findings::{Finding, Severity};
pub use foreign::{ForeignError, documents};
pub use grace_period::GracePeriod;
pub use marks::NodeMarks;
pub use node_gate::NodeExpected;
pub use nodes::{NodeView, NodesExpected};
pub use peering::LiveBgp;
pub use probe_pods::{PROBE_BODY, PROBE_PORT, ProbePod, ProbeService};
pub use rbac::is_rbac;
pub use support::{GLANCES, Glance};
pub use watch::Watch;

/// The one name under which kubewright owns fields.
pub const FIELD_MANAGER: &str = "kubewright";
