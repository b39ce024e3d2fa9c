//! Sizes, ages and names as people read them.

/// `bytes` in MiB, with one digit behind the point.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// How long ago something was.
pub fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "in the future".to_owned(),
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `1 host`, `2 hosts`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_at_a_glance() {
        assert_eq!([-1, 5, 300, 7200, 400_000].map(age), ["in the future", "5 s", "5 min", "2 h", "4 d"]);
    }

    #[test]
    fn things_are_counted() {
        assert_eq!([count(1, "host"), count(0, "host")], ["1 host", "0 hosts"]);
    }
}
