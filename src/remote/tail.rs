//! The last lines of a stream of bytes that nobody promised to be text.

/// Bytes kept.
const LIMIT: usize = 16 << 10;

/// Keeps the end of what is pushed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(LIMIT)..]);
        let excess = self.bytes.len().saturating_sub(LIMIT);
        self.bytes.drain(..excess);
    }

    /// How often `text` occurs in what is kept.
    pub(super) fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.bytes).matches(text).count()
    }

    /// The last `lines` lines as text: without escape sequences' control characters, empty lines and `secret`
    /// prompts.
    pub(super) fn text(&self, lines: usize, without: &str) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = if without.is_empty() { text.into_owned() } else { text.replace(without, "") };
        let clean = |line: &str| line.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>();
        let all: Vec<String> =
            text.lines().map(|line| clean(line.trim_end())).filter(|line| !line.is_empty()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_made_readable() {
        let mut tail = Tail::default();
        tail.push(b"caf\xe9 \x1b[31mred\x1b[0m\r\n\nPROMPTtwo\nth");
        tail.push(b"ree");
        assert_eq!(tail.text(3, "PROMPT"), "caf\u{fffd} [31mred[0m\ntwo\nthree");
        assert_eq!(tail.text(1, ""), "three");
        assert_eq!(tail.count("PROMPT"), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut tail = Tail::default();
        tail.push(&vec![b'x'; LIMIT * 3]);
        tail.push(b"\nlast");
        assert_eq!(tail.bytes.len(), LIMIT);
        assert_eq!(tail.text(1, ""), "last");
    }
}
