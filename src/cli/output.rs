//! The flag of verbs that list something.

/// How a list is shown.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}
