//! "Did you mean …?"

/// The candidate that `word` is most likely a misspelling of, if any is near.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Keys are short; a long one is no misspelling, and the table grows with the square.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let length = word.chars().count();
    let near = |distance: usize, candidate: &str| distance <= candidate.chars().count().max(length) / 3;
    candidates
        .into_iter()
        // What differs more in length is no nearer.
        .filter(|candidate| near(candidate.chars().count().abs_diff(length), candidate))
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| near(*distance, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut table = vec![vec![0; to.len() + 1]; from.len() + 1];
    for (i, row) in table.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in table[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let replaced = table[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = best;
        }
    }
    table[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_recognised() {
        let keys = ["name", "address", "roles", "podCidr", "serviceCidr"];
        for (word, meant) in [
            ("adress", Some("address")),
            ("addres", Some("address")),
            ("nmae", Some("name")),
            ("podCIDR", Some("podCidr")),
            ("role", Some("roles")),
            ("gpu", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
        assert_eq!(nearest(&"name".repeat(100), keys), None);
    }
}
