//! What the bootstrap script says, among what login shells print.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::tail::Tail;

/// Most bytes of noise before a word.
const NOISE: usize = 1 << 20;

/// A word of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Send the binary.
    Need,
    /// The agent is next: frames follow.
    Run,
    /// It gives up: a keyword and its argument.
    Failed(String),
}

/// Finds words in an output. Keeps what it has read of a line, so that waiting for the next word may be interrupted.
pub(super) struct Markers {
    nonce: String,
    line: Vec<u8>,
    read: usize,
    /// Lines that were no words: banners, `set -x` to standard output, error messages of a shell that is none.
    pub(super) noise: Tail,
}

impl Markers {
    pub(super) fn new(nonce: &str) -> Self {
        Self { nonce: format!("{nonce} "), line: Vec::new(), read: 0, noise: Tail::default() }
    }

    /// The next word; `None` at the end of the output. Never reads beyond the word's line.
    pub(super) async fn next<R: AsyncBufRead + Unpin>(&mut self, output: &mut R) -> io::Result<Option<Word>> {
        loop {
            let available = output.fill_buf().await?;
            if available.is_empty() {
                self.noise.push(&std::mem::take(&mut self.line));
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(available.len());
            self.line.extend_from_slice(&available[..taken]);
            output.consume(taken);
            self.read += taken;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                if let Some(word) = self.word(&line) {
                    return Ok(Some(word));
                }
                self.noise.push(&line);
            }
            if self.read > NOISE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it prints without end"));
            }
        }
    }

    /// The word in `line`, if the nonce is in it: noise without a newline may stand before.
    fn word(&mut self, line: &[u8]) -> Option<Word> {
        let line = String::from_utf8_lossy(line);
        let (before, word) = line.split_once(&self.nonce)?;
        let word = match word.trim_end() {
            "need" => Word::Need,
            "run" => Word::Run,
            other => Word::Failed(other.strip_prefix("failed ")?.to_owned()),
        };
        self.noise.push(before.as_bytes());
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn words(output: &[u8]) -> (Vec<Word>, String, Vec<u8>) {
        let (mut markers, mut output) = (Markers::new("abc"), output);
        let mut words = Vec::new();
        while let Some(word) = markers.next(&mut output).await.unwrap() {
            let last = word == Word::Run;
            words.push(word);
            if last {
                break;
            }
        }
        (words, markers.noise.text(9, ""), output.to_vec())
    }

    #[tokio::test]
    async fn words_are_found_in_noise_and_nothing_is_read_beyond() {
        let (found, noise, rest) = words(b"Welcome!\nabc\nno newlineabc need\nabc run\n\0\0\0\x02J{}").await;
        assert_eq!(found, [Word::Need, Word::Run]);
        assert_eq!(noise, "Welcome!\nabc\nno newline");
        assert_eq!(rest, b"\0\0\0\x02J{}");
    }

    #[tokio::test]
    async fn failures_carry_their_argument_and_noise_may_be_anything() {
        let (found, noise, _) = words(b"\xff\xfe\nabc failed not-root ops\nabc other").await;
        assert_eq!(found, [Word::Failed("not-root ops".into())]);
        assert_eq!(noise, "\u{fffd}\u{fffd}\nabc other");
    }

    #[tokio::test]
    async fn endless_noise_is_an_error() {
        let noise = vec![b'y'; NOISE + 1];
        assert!(Markers::new("abc").next(&mut noise.as_slice()).await.is_err());
    }
}
