//! Executes a plan: connects, locks, surveys, runs stages with their widths and gates. Sends events, never prints.

mod api;
mod checkpoint;
mod crash;
mod distribute;
mod execute;
mod execution;
mod failure;
mod fleet;
mod gate;
mod install;
mod kubeconfig;
mod lock;
mod measure;
mod preflight;
mod reset;
mod state;
mod status;
mod subject;
mod survey;
mod wait;

pub use failure::{HostFailure, RunError};
pub use fleet::Fleet;
pub use install::{Pending, Summary, install, plan};
pub use kubeconfig::kubeconfig;
pub use preflight::{Ignored, preflight};
pub use reset::reset;
pub use state::StateDirectory;
pub use status::{HostStatus, Status, status};
pub use subject::Subject;
pub use survey::Survey;
