//! What runs **on the host**: the agent. It observes, diffs and converges one host, and answers questions about it.
//! It knows nothing of other hosts, of SSH, or of plans: desired parts come in, changes go out.

pub mod agent;
pub mod atomic;
pub mod autosave;
mod backup;
pub mod blob;
pub mod command;
mod containerd;
mod converge;
mod disk;
mod etcdctl;
pub(crate) mod facts;
mod failure;
mod fetch;
pub mod frame;
mod irq;
mod layer;
mod lock;
mod machine;
mod members;
mod own;
mod owner;
mod pending;
mod previous;
mod probe;
mod probes;
mod proc;
pub mod protocol;
pub mod prove;
mod read;
mod request;
mod reset;
mod resource;
mod restore;
mod restores;
pub mod root;
mod serve;
mod shelf;
mod snapshot;
mod support;
mod system;
mod systemd;
mod tool;
pub mod transfer;
pub mod tune;
mod unpack;

pub(crate) use support::tail::of_file as tail_of_file;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod testing_etcd;
