//! What of a line is struck out.

use std::borrow::Cow;
use std::ops::Range;

/// What stands in the place of a secret.
pub const STRUCK: &str = "[redacted]";

/// Parts of a line, in any order, overlapping or not.
#[derive(Default)]
pub(super) struct Marks(Vec<Range<usize>>);

impl Marks {
    pub(super) fn add(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.0.push(range);
        }
    }

    /// The line without what is marked.
    pub(super) fn apply(mut self, line: &str) -> Cow<'_, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(line);
        }
        self.0.sort_by_key(|range| range.start);
        let (mut out, mut at, mut struck) = (String::with_capacity(line.len()), 0, None);
        for Range { start, end } in self.0 {
            let (start, end) = (line.floor_char_boundary(start), line.ceil_char_boundary(end));
            if end <= at {
                continue;
            }
            // What touches is one.
            if start > at || struck != Some(at) {
                out.push_str(&line[at..start.max(at)]);
                out.push_str(STRUCK);
            }
            at = end;
            struck = Some(end);
        }
        out.push_str(&line[at..]);
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_overlap_or_touch_are_struck_once() {
        let struck = |ranges: &[(usize, usize)]| {
            let mut marks = Marks::default();
            ranges.iter().for_each(|(start, end)| marks.add(*start..*end));
            marks.apply("0123ä6789").into_owned()
        };
        assert_eq!(struck(&[]), "0123ä6789");
        assert_eq!(struck(&[(0, 1)]), "[redacted]123ä6789");
        assert_eq!(struck(&[(6, 8), (1, 3), (2, 4)]), "0[redacted]ä[redacted]89");
        assert_eq!(struck(&[(1, 2), (2, 3), (1, 3)]), "0[redacted]3ä6789");
        assert_eq!(struck(&[(5, 6)]), "0123[redacted]6789", "half a character is none");
        assert_eq!(struck(&[(0, 10)]), "[redacted]");
    }
}
