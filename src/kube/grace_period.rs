//! How long pods may take to end.

/// How long a pod may take to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GracePeriod {
    /// As long as it asks for.
    OfThePod,
    /// So many seconds.
    Seconds(u32),
}
