//! The file that etcd makes of its database: a bbolt file, and the SHA-256 of it as the last 32 bytes. Looked at
//! without etcd, so that a snapshot is known to be whole before anybody needs it.

use std::io::{self, Read};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Length of the digest at the end.
const TRAILER: u64 = 32;
/// bbolt writes whole pages, whose sizes are multiples of this.
const SECTOR: u64 = 512;
/// How much of the beginning is kept: two pages of the largest size that there is.
const HEAD: usize = 128 << 10;
const PAGE_HEADER: usize = 16;
const META: usize = 64;
const META_PAGE: u16 = 4;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// A snapshot that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// Size of the file in bytes.
    pub(super) bytes: u64,
    /// SHA-256 of the whole file, as `sha256sum` prints it.
    pub(super) sha256: String,
}

/// Why a file is no snapshot that could be restored.
#[derive(Debug, Error)]
pub(super) enum Damage {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("its size, {0} bytes, is not that of a snapshot: it is cut short, or another kind of file")]
    Size(u64),
    #[error("its content does not have the SHA-256 that stands at its end: it is damaged")]
    Digest,
    #[error("it does not begin with a valid page of a bbolt database")]
    Meta,
    #[error("its database has {pages} pages of {page_size} bytes, and it holds only {bytes} bytes of them")]
    Short { pages: u64, page_size: u64, bytes: u64 },
}

/// Reads all of a file of `size` bytes.
pub(super) fn verify(mut file: impl Read, size: u64) -> Result<Whole, Damage> {
    if size <= TRAILER || size % SECTOR != TRAILER {
        return Err(Damage::Size(size));
    }
    let body = size - TRAILER;
    let (mut head, mut hasher, mut rest) = (Vec::new(), Sha256::new(), body);
    let mut buffer = vec![0; 1 << 20];
    while rest > 0 {
        let want = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        let piece = &mut buffer[..want];
        file.read_exact(piece)?;
        hasher.update(&*piece);
        let lacking = HEAD.saturating_sub(head.len());
        head.extend_from_slice(&piece[..lacking.min(want)]);
        rest -= want as u64;
    }
    let mut trailer = [0; TRAILER as usize];
    file.read_exact(&mut trailer)?;
    if hasher.clone().finalize().as_slice() != trailer {
        return Err(Damage::Digest);
    }
    let meta = newest(&head).ok_or(Damage::Meta)?;
    let Meta { pages, page_size, .. } = meta;
    if pages.checked_mul(page_size).is_none_or(|needed| needed > body) {
        return Err(Damage::Short { pages, page_size, bytes: body });
    }
    hasher.update(trailer);
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Whole { bytes: size, sha256 })
}

/// What a meta page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    page_size: u64,
    /// Pages in use, from the first one on.
    pages: u64,
    /// The later of two has the higher number.
    transaction: u64,
}

/// The newer one of the two meta pages: page 0, and page 1, which begins where one of some size ends.
fn newest(head: &[u8]) -> Option<Meta> {
    let second = (9..17).map(|power| 1 << power).find_map(|offset| {
        let meta = meta(head, offset)?;
        (usize::try_from(meta.page_size) == Ok(offset)).then_some(meta)
    });
    let first = meta(head, 0);
    first.into_iter().chain(second).max_by_key(|meta| meta.transaction)
}

/// The meta page that begins at `offset`, where it is a valid one. Numbers are little-endian; the checksum is FNV-1a
/// over what stands before it.
fn meta(head: &[u8], offset: usize) -> Option<Meta> {
    let page = head.get(offset..offset + PAGE_HEADER + META)?;
    let (header, meta) = page.split_at(PAGE_HEADER);
    let flags = u16::from_le_bytes(header.get(8..10)?.try_into().ok()?);
    let long = |at: usize| Some(u64::from_le_bytes(meta.get(at..at + 8)?.try_into().ok()?));
    let short = |at: usize| Some(u32::from_le_bytes(meta.get(at..at + 4)?.try_into().ok()?));
    let valid = flags == META_PAGE
        && short(0)? == MAGIC
        && short(4)? == VERSION
        && short(8)?.is_power_of_two()
        && long(56)? == fnv(&meta[..56]);
    valid.then_some(Meta { page_size: short(8)?.into(), pages: long(40)?, transaction: long(48)? })
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn page(transaction: u64, pages: u64) -> Vec<u8> {
        let mut meta = Vec::new();
        meta.extend(MAGIC.to_le_bytes());
        meta.extend(VERSION.to_le_bytes());
        meta.extend((PAGE as u32).to_le_bytes());
        meta.extend(0_u32.to_le_bytes());
        for number in [3_u64, 0, 2, pages, transaction] {
            meta.extend(number.to_le_bytes());
        }
        meta.extend(fnv(&meta).to_le_bytes());
        let mut page = vec![0; 8];
        page.extend(META_PAGE.to_le_bytes());
        page.extend([0; 6]);
        page.extend(meta);
        page.resize(PAGE, 0);
        page
    }

    /// A database of `pages` pages by what it says, `there` by what it holds.
    fn database(pages: u64, there: usize) -> Vec<u8> {
        let mut body = [page(7, pages), page(8, pages)].concat();
        body.resize(there * PAGE, 0x5a);
        body
    }

    /// A whole snapshot of `pages` pages.
    pub(in super::super) fn snapshot_of(pages: usize) -> Vec<u8> {
        signed(database(pages as u64, pages))
    }

    /// The file that etcd makes of a database.
    fn signed(mut body: Vec<u8>) -> Vec<u8> {
        let digest = Sha256::digest(&body);
        body.extend(digest);
        body
    }

    fn told(file: &[u8]) -> String {
        match verify(file, file.len() as u64) {
            Ok(whole) => format!("whole, {} bytes", whole.bytes),
            Err(damage) => damage.to_string(),
        }
    }

    #[test]
    fn a_whole_snapshot_is_known_by_its_digest() {
        let file = signed(database(4, 4));
        let whole = verify(&file[..], file.len() as u64).unwrap();
        assert_eq!(whole.bytes, 4 * 4096 + 32);
        assert_eq!(whole.sha256, super::super::super::blob::sha256(&file));
        // More space than is in use is no damage.
        assert_eq!(told(&signed(database(4, 300))), "whole, 1228832 bytes");
    }

    #[test]
    fn damage_is_told_apart() {
        let good = signed(database(4, 4));
        let changed = |at: usize| {
            let mut file = good.clone();
            file[at] ^= 1;
            file
        };
        let body = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut body = database(4, 4);
            change(&mut body);
            signed(body)
        };
        let last = good.len() - 1;
        for (name, file, expected) in [
            ("empty", Vec::new(), "its size, 0 bytes"),
            ("only a digest", signed(Vec::new()), "its size, 32 bytes"),
            ("cut short", good[..last].to_vec(), "its size, 16415 bytes"),
            ("cut at a page", good[..3 * 4096].to_vec(), "its size, 12288 bytes"),
            ("cut at a page with 32 bytes more", good[..3 * 4096 + 32].to_vec(), "SHA-256"),
            ("a copy of the database", database(4, 4), "its size, 16384 bytes"),
            ("a changed byte", changed(9000), "SHA-256"),
            ("a changed digest", changed(last), "SHA-256"),
            ("fewer pages than it says", signed(database(9, 4)), "9 pages of 4096 bytes, and it holds only 16384"),
            ("no end to its pages", signed(database(u64::MAX, 4)), "pages of 4096 bytes"),
            ("an HTML page", signed(b"<html>".repeat(512)), "valid page of a bbolt"),
            ("both metas broken", body(&|body| (body[20], body[4096 + 20]) = (9, 9)), "valid page of a bbolt"),
            ("one meta broken", body(&|body| body[20] = 9), "whole"),
            ("the other meta broken", body(&|body| body[4096 + 56] = 9), "whole"),
            ("no meta page", body(&|body| (body[8], body[4096 + 8]) = (2, 2)), "valid page of a bbolt"),
        ] {
            assert!(told(&file).contains(expected), "{name}: {}", told(&file));
        }
        assert!(verify(&good[..100], good.len() as u64).unwrap_err().to_string().contains("cannot be read"));
    }
}
