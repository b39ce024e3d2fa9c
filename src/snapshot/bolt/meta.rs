//! The two meta pages, with which a database begins.

use super::damage::Damage;
use super::header::{self, Header};
use super::source::Source;

/// Length of what follows the page's header.
const META: usize = 64;
pub(super) const KIND: u16 = 4;
pub(super) const MAGIC: u32 = 0xED0C_DAED;
pub(super) const VERSION: u32 = 2;
/// Sizes of pages that bbolt can have: powers of two, from 512 bytes to 64 KiB.
const SIZES: std::ops::RangeInclusive<u32> = 9..=16;

/// What a meta page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// Bytes.
    pub(super) page_size: u64,
    /// Pages, from the first one on; what comes after them is room.
    pub(super) pages: u64,
    /// Page at which the bucket of buckets begins.
    pub(super) root: u64,
    /// Page that lists the free ones, where that was written. etcd does not have it written, and reads it where it is.
    pub(super) freelist: Option<u64>,
    /// Of two meta pages, the later one has the higher number.
    transaction: u64,
}

impl Meta {
    /// The newer one of page 0 and page 1, which begins where a page of some size ends.
    pub(super) fn newest(source: &(impl Source + ?Sized), length: u64) -> Result<Self, Damage> {
        let second = || {
            for offset in SIZES.map(|power| 1_u64 << power) {
                match Self::read(source, offset, length)? {
                    Some(meta) if meta.page_size == offset => return Ok(Some(meta)),
                    _ => {}
                }
            }
            Ok::<_, Damage>(None)
        };
        let both = [Self::read(source, 0, length)?, second()?];
        let meta = both.into_iter().flatten().max_by_key(|meta| meta.transaction).ok_or(Damage::Meta)?;
        let Self { pages, page_size, .. } = meta;
        if pages.checked_mul(page_size).is_none_or(|needed| needed > length) {
            return Err(Damage::Short { pages, page_size, bytes: length });
        }
        Ok(meta)
    }

    /// Refuses a page that is not there, and the two meta pages themselves: nothing leads to them.
    pub(super) fn check_holds(&self, number: u64) -> Result<(), Damage> {
        if (2..self.pages).contains(&number) {
            return Ok(());
        }
        Err(Damage::page(number, format!("there is no such page among {}", self.pages)))
    }

    /// The meta page at `offset`; `None` where what is there is none.
    fn read(source: &(impl Source + ?Sized), offset: u64, length: u64) -> Result<Option<Self>, Damage> {
        let mut page = [0; header::LENGTH + META];
        if offset + page.len() as u64 > length {
            return Ok(None);
        }
        source.read_at(&mut page, offset)?;
        Ok(Self::parse(&page))
    }

    fn parse(page: &[u8; header::LENGTH + META]) -> Option<Self> {
        let meta = &page[header::LENGTH..];
        let (long, page_size) = (|at| header::long(meta, at), header::short(meta, 8));
        let valid = Header::parse(page).kind == KIND
            && header::short(meta, 0) == MAGIC
            && header::short(meta, 4) == VERSION
            && page_size.is_power_of_two()
            && SIZES.contains(&page_size.trailing_zeros())
            && long(56) == checksum(&meta[..56]);
        let meta = Self {
            page_size: page_size.into(),
            pages: long(40),
            root: long(16),
            freelist: Some(long(32)).filter(|page| *page != u64::MAX),
            transaction: long(48),
        };
        valid.then_some(meta)
    }
}

/// FNV-1a.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
