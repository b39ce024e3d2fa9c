//! Flags that say how many snapshots stay.

use clap::builder::RangedU64ValueParser;

use crate::cluster::Keep;

/// None of them is no wish, but a slip of the pen: it would leave a single snapshot.
fn some() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..)
}

/// How many snapshots stay. A snapshot stays when any of these asks for it; without any of them nothing is removed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct KeepArgs {
    /// Keep the latest N
    #[arg(long, value_name = "N", value_parser = some())]
    keep_last: Option<u64>,
    /// Keep the latest of each of N hours that have any
    #[arg(long, value_name = "N", value_parser = some())]
    keep_hourly: Option<u64>,
    /// Keep the latest of each of N days (UTC) that have any
    #[arg(long, value_name = "N", value_parser = some())]
    keep_daily: Option<u64>,
    /// Keep the latest of each of N weeks (from Monday on, UTC) that have any
    #[arg(long, value_name = "N", value_parser = some())]
    keep_weekly: Option<u64>,
}

impl KeepArgs {
    /// What is to be kept, where anything was said about it.
    pub(super) fn keep(&self) -> Option<Keep> {
        let Self { keep_last, keep_hourly, keep_daily, keep_weekly } = self;
        let said = [keep_last, keep_hourly, keep_daily, keep_weekly].into_iter().any(Option::is_some);
        let number = |said: &Option<u64>| said.and_then(|said| usize::try_from(said).ok()).unwrap_or(0);
        said.then(|| Keep {
            last: number(keep_last),
            hourly: number(keep_hourly),
            daily: number(keep_daily),
            weekly: number(keep_weekly),
        })
    }
}
