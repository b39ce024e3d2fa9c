//! Durations and sizes: `500ms`, `8760h`, `365d`, `8GiB`.

use std::time::Duration;

use super::problems::Fault;

/// Milliseconds by unit.
const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Bytes by unit.
const SIZES: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads a duration.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    let hint = "write a whole number with its unit ms, s, m, h or d, such as 500ms, 8760h or 365d";
    quantity(text, &DURATIONS)
        .map(Duration::from_millis)
        .ok_or_else(|| Fault::new(format!("{text:?} is not a duration"), hint))
}

/// Reads a size in bytes.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let hint = "write a whole number with its unit B, KiB, MiB, GiB or TiB, such as 8GiB";
    quantity(text, &SIZES).ok_or_else(|| Fault::new(format!("{text:?} is not a size"), hint))
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, milliseconds) in
            [("500ms", 500), ("5s", 5000), ("8760h", 31_536_000_000), ("365d", 31_536_000_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "5", "s", "-5s", "1.5s", "5 s", "5S", "5y", "99999999999999999999d", "9999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [("8GiB", 8 << 30), ("512MiB", 512 << 20), ("1B", 1)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "8", "8GB", "8G", "GiB", "1.5GiB", "-1B", "99999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
