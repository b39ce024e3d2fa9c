//! Sizes as the inventory writes them.

/// A size in the largest unit that needs no fraction.
pub(in crate::migrate) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = units.iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1_u64 << shift));
    fits.map_or_else(|| format!("{bytes}B"), |(unit, shift)| format!("{}{unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_no_fraction() {
        assert_eq!([8 << 30, 1536 << 20, 1000, 0].map(size), ["8GiB", "1536MiB", "1000B", "0B"]);
    }
}
