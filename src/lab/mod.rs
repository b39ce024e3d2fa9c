//! Hosts on this machine, for demo, tests and CI: each with a kernel, a disk and a network card of its own, none with
//! anything on it but Debian's least. Needs root and a few packages, no virtualisation.
//!
//! A lab is a directory (its record, keys, disks, inventory), a network namespace (a bridge and a tap per host, with no
//! way out) and, per host, a supervisor that runs user-mode Linux as an ordinary process.

mod base_image;
mod command;
mod down;
mod error;
mod files;
mod inside;
mod inventory;
mod kernel;
mod keys;
#[expect(clippy::module_inception, reason = "the noun of this module")]
mod lab;
mod layout;
mod machine;
mod mirror;
mod mounts;
mod name;
mod namespace;
mod network;
mod options;
mod places;
mod process;
mod processor;
mod recipe;
mod requirements;
mod seed;
mod status;
mod steps;
mod supervisor;
mod throwaway;
mod topology;
mod uml;
mod up;
mod wait;

pub use error::LabError;
pub use lab::Lab;
pub use name::LabName;
pub use options::{EndpointChoice, Memory, Options};
pub use places::Places;
pub use status::{HostState, HostStatus, Status};
pub use steps::{Running, Step};
pub use supervisor::{detach, supervise};
pub use throwaway::{Throwaway, reap};
pub use topology::LabHost;
pub use up::Up;

/// Where to say what happens meanwhile, line by line.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);
