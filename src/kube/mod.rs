//! The Kubernetes API through a tunnel: server-side apply, nodes, gates, drain.
//!
//! Everything the installer asks of a server goes through [`Api`], as one field manager, `kubewright`. Objects are
//! JSON documents of any kind and any version of Kubernetes: nothing here passes through types of one version, which
//! would drop the fields they do not know. A gate is one observation that returns what is still missing; whoever
//! waits loops over it with a deadline.

mod api;
mod apply;
mod change;
mod classify;
mod concurrency;
mod control_plane;
mod cordon;
mod crds;
mod diff;
mod display;
mod drain;
mod error;
mod evict;
mod fields;
mod identity;
mod kinds;
mod marks;
mod node_marks;
mod nodes;
mod object;
mod operation;
mod pods;
mod resource;
mod retry;
mod workloads;

pub use api::Api;
pub use change::{Action, ObjectChange};
pub use control_plane::ControlPlaneExpected;
pub use cordon::Cordon;
pub use drain::{DrainOptions, EmptyDirs, UnmanagedPods};
pub use error::{Attempt, KubeError};
pub use evict::GracePeriod;
pub use marks::NodeMarks;
pub use nodes::{NodeView, NodesExpected};

/// The one name under which kubewright owns fields.
pub const FIELD_MANAGER: &str = "kubewright";
