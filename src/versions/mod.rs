//! Tables: what each minor of Kubernetes, etcd, containerd and Calico needs.
//!
//! Every function here is pure and looks at nothing but versions; [`supported::check`] says which ones the tables know.

pub mod apis;
pub mod calico;
pub mod containerd;
pub mod coredns;
pub mod etcd;
pub mod flags;
pub mod gates;
pub mod groups;
pub mod kubelet;
pub mod nodes;
pub mod pods;
pub mod proxy;
pub mod skew;
pub mod supported;
