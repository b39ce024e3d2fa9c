//! Disks as the kernel shows them: what is on them, who uses them, and which of them is meant. Decides, and changes
//! nothing but its own notes; formatting and mounting are the business of a resource.

mod choice;
mod content;
mod device;
mod group;
mod note;
mod table;

pub(super) use choice::{Decision, decide};
use content::Found;
pub(super) use content::{file_system, sync, what_is_on};
pub(super) use device::Device;
pub(super) use group::{Remains, TAG, VOLUME, is_mapped, is_ours, mapped, report};
pub(super) use note::{Note, Phase};
pub(super) use table::mounted_at;

#[cfg(test)]
pub(in crate::host) mod tests;
