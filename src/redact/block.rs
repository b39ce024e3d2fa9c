//! Private keys as PEM: on lines of their own, within one line, or cut off at either end of a text.

use std::ops::Range;

use super::marks::Marks;

/// Lines of the largest key that anybody has, and then some: who quotes the beginning alone loses no more of a log.
const LONGEST: usize = 120;

/// Whether the line before has left a key open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Outside,
    /// Inside, for at most so many lines more.
    Inside(usize),
}

impl State {
    /// Where a text begins: within a key whose end comes without a beginning.
    pub(super) fn at_beginning(text: &str) -> Self {
        for (index, line) in text.lines().take(LONGEST).enumerate() {
            let (begin, end) = (marker(line, "BEGIN", 0), marker(line, "END", 0));
            match (begin, end) {
                (None, Some(_)) => return Self::Inside(index + 1),
                (Some(begin), Some(end)) if end.start < begin.start => return Self::Inside(index + 1),
                (Some(_), _) => return Self::Outside,
                (None, None) => {}
            }
        }
        Self::Outside
    }
}

pub(super) fn mark(line: &str, state: &mut State, marks: &mut Marks) {
    let mut at = 0;
    loop {
        let start = match *state {
            State::Inside(_) => at,
            State::Outside => match marker(line, "BEGIN", at) {
                Some(begin) => begin.start,
                None => return,
            },
        };
        if let Some(end) = marker(line, "END", start) {
            marks.add(start..end.end);
            *state = State::Outside;
            at = end.end;
            continue;
        }
        marks.add(start..line.len());
        *state = match *state {
            State::Outside => State::Inside(LONGEST),
            State::Inside(0 | 1) => State::Outside,
            State::Inside(left) => State::Inside(left - 1),
        };
        return;
    }
}

/// The first `-----BEGIN … PRIVATE KEY…-----` from `from` on, or the END.
fn marker(line: &str, word: &str, from: usize) -> Option<Range<usize>> {
    line[from..].match_indices(word).find_map(|(found, _)| {
        let at = from + found;
        let before = line[from..at].trim_end_matches(' ');
        let dashes = before.len() - before.trim_end_matches('-').len();
        let after = &line[at + word.len()..];
        let label = &after[..after.find("----")?];
        if dashes < 4 || label.len() > 60 || !label.contains("PRIVATE KEY") {
            return None;
        }
        let rest = &after[label.len()..];
        let end = rest.len() - rest.trim_start_matches('-').len();
        Some(from + before.len() - dashes..at + word.len() + label.len() + end)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Known, STRUCK, text};

    fn shown(given: &str) -> String {
        text(given, &Known::default()).replace(STRUCK, "#")
    }

    #[test]
    fn a_private_key_is_struck_out_wherever_it_stands() {
        for (given, expected) in [
            ("a\n-----BEGIN RSA PRIVATE KEY-----\nMII\nEpA\n-----END RSA PRIVATE KEY-----\nb", "a\n#\n#\n#\n#\nb"),
            (
                r#"{"k":"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n","n":1}"#,
                r##"{"k":"#\n","n":1}"##,
            ),
            (
                "x -----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nZQ==\n-----END OPENSSH PRIVATE KEY----- y",
                "x #\n#\n#\n# y",
            ),
            ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/\n---- END SSH2 ENCRYPTED PRIVATE KEY ----", "#\n#\n#"),
            ("Epb\nxyz\n-----END EC PRIVATE KEY-----\nnext", "#\n#\n#\nnext"),
            (
                "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
                "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            ),
        ] {
            assert_eq!(shown(given), expected, "{given}");
        }
    }

    #[test]
    fn a_key_that_never_ends_takes_no_whole_log() {
        let log: String = (0..200).map(|number| format!("line {number}\n")).collect();
        let shown = shown(&format!("-----BEGIN PRIVATE KEY-----\n{log}"));
        assert!(!shown.contains("line 119\n") && shown.contains("line 120\n"), "{shown}");
    }
}
