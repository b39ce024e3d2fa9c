//! The header with which every page begins. All numbers are little-endian.

pub(super) const LENGTH: usize = 16;

/// What a page says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Its number.
    pub(super) number: u64,
    /// One of the constants of `page` and `meta`.
    pub(super) kind: u16,
    /// Elements in it.
    pub(super) count: usize,
    /// Pages that it takes beside its own.
    pub(super) overflow: u64,
}

impl Header {
    /// `bytes` begin with a header.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self {
            number: long(bytes, 0),
            kind: u16::from_le_bytes([bytes[8], bytes[9]]),
            count: usize::from(u16::from_le_bytes([bytes[10], bytes[11]])),
            overflow: short(bytes, 12).into(),
        }
    }
}

/// The number of eight bytes at `at`.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The number of four bytes at `at`.
pub(super) fn short(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
