//! Sizes as people read them.

/// `bytes` in MiB, with one digit behind the point.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
