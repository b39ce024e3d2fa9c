//! kubewright: bare hosts to a highly available Kubernetes cluster, and every version after it.
//!
//! Data flows one way: inventory → cluster → desired → plan → run → host → report.

pub mod cluster;
pub mod desired;
pub mod diff;
pub mod etcd;
pub mod host;
pub mod image;
pub mod inventory;
pub mod kube;
pub mod lab;
pub mod migrate;
pub mod pki;
pub mod plan;
pub mod redact;
mod regular_file;
pub mod remote;
pub mod report;
pub mod run;
pub mod snapshot;
pub mod versions;

#[doc(hidden)]
pub mod cli;
