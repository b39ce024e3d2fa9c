//! Unified diffs, short enough to be read.

use crate::diff;

/// Lines of a diff that are shown.
const MOST_LINES: usize = 200;
/// Characters of a line that are shown.
const MOST_CHARACTERS: usize = 300;

/// The unified diff between two texts, with three lines of context; long ones are cut, with a count.
pub(super) fn unified(path: &str, old: &str, new: &str) -> String {
    let text = format!("--- {path}\n+++ {path}\n{}", diff::unified(old, new));
    let mut lines: Vec<String> = text.lines().take(MOST_LINES).map(cut).collect();
    let more = text.lines().count().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.push(format!("… {more} more lines"));
    }
    lines.join("\n")
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}… {} more characters", &line[..end], line[end..].chars().count()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_has_three_lines_of_context() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = old.replace('5', "five");
        insta::assert_snapshot!(unified("/etc/x", old, &new), @"
        --- /etc/x
        +++ /etc/x
        @@ -2,8 +2,8 @@
         1
         2
         3
         4
        -5
        +five
         6
         7
         8
        ");
    }

    #[test]
    fn long_diffs_and_long_lines_are_cut_with_a_count() {
        let new: String = (0..500).map(|line| format!("{line}\n")).collect();
        let diff = unified("/x", "", &new);
        assert_eq!(diff.lines().count(), MOST_LINES + 1);
        assert!(diff.ends_with("… 303 more lines"), "{diff}");
        let diff = unified("/x", "", &"ä".repeat(1000));
        assert!(diff.contains("… 701 more characters"), "{diff}");
    }
}
