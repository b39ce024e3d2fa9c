//! The only code that prints. Everything else returns values or sends events.

mod print;

pub use print::{print, print_error};
