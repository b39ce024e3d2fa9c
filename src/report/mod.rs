//! The only code that prints. Everything else returns values or sends events.

mod connectivity;
mod event;
mod log;
pub mod page;
mod plan;
mod preview;
mod print;
mod progress;
mod style;
mod table;
mod transfer;
mod words;

pub use connectivity::connectivity;
pub use event::{Event, Events};
pub(crate) use log::KeptLog;
pub use log::RunLog;
pub use plan::render_plan;
pub use preview::render_preview;
pub use print::{is_output_lost, print, print_error};
pub use progress::{Detail, Format, render};
pub use style::Style;
pub use table::table;
pub use transfer::TransferLine;
pub use words::{age, mebibytes};
