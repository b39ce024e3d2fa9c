//! The literal lists of stages, and the checks that come before them. Pure: facts and states in, stages and findings
//! out.

mod connectivity;
mod install;
pub mod membership;
pub mod path;
mod peering;
pub mod preflight;
mod preview;
mod restore;
mod stage;
mod upgrade;
mod waves;

pub use connectivity::{Connectivity, Tried, TriedNode, Way, pairs};
pub use install::install;
pub use peering::{LivePeering, PeeringStep, Sessions, peering};
pub use preview::{Preview, Turn};
pub use restore::{RestoreStage, RestoreWork, restore, resume, undo};
pub use stage::{Gate, Hosts, OnFailure, Pace, Selector, Stage, Work};
pub use upgrade::{KEPT, rollback, upgrade};
