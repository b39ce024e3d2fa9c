//! What runs **on the host**: the agent. It observes, diffs and converges one host, and answers questions about it.
//! It knows nothing of other hosts, of SSH, or of plans: desired parts come in, changes go out.

pub mod agent;
pub mod atomic;
pub mod blob;
pub mod command;
mod containerd;
mod converge;
mod disk;
mod facts;
mod failure;
pub mod frame;
mod irq;
mod layer;
mod lock;
mod machine;
mod own;
mod owner;
mod pending;
mod probe;
mod proc;
pub mod protocol;
mod read;
mod request;
mod reset;
mod resource;
pub mod root;
mod system;
mod systemd;
mod tool;
pub mod tune;
mod unpack;

#[cfg(test)]
mod testing;
