//! The literal lists of stages, and the checks that come before them. Pure: facts and states in, stages and findings
//! out.

mod install;
pub mod preflight;
mod stage;

pub use install::install;
pub use stage::{Gate, Pace, Selector, Stage, Work};
