//! Small databases for tests, in the form in which bbolt writes them.

use super::header;
use super::meta::{KIND, MAGIC, VERSION, checksum};
use super::page::{BRANCH, ELEMENT, FREELIST, LEAF};

pub(in super::super) const PAGE: usize = 4096;
/// Pairs of a leaf: few, so that a small database has branches.
const PER_LEAF: usize = 4;

pub(in super::super) type Pair = (Vec<u8>, Vec<u8>);

/// A bucket with at most one pair stands in the value that names it.
pub(in super::super) fn database(buckets: &[(&str, Vec<Pair>)]) -> Vec<u8> {
    let mut file = vec![0; 3 * PAGE];
    file[2 * PAGE..][..header::LENGTH].copy_from_slice(&header(2, FREELIST, 0, 0));
    let mut named: Vec<_> = buckets.iter().map(|(name, pairs)| bucket(&mut file, name, pairs)).collect();
    named.sort();
    let root = append(&mut file, LEAF, &leaf(&named, 1), named.len());
    finish(file, root)
}

/// Writes the meta pages: both of one database, the second one newer.
fn finish(mut file: Vec<u8>, root: u64) -> Vec<u8> {
    let pages = (file.len() / PAGE) as u64;
    for number in 0..2 {
        let meta = meta(7 + number, pages, root);
        file[number as usize * PAGE..][..PAGE].copy_from_slice(&meta);
    }
    file
}

/// A meta page.
pub(in super::super) fn meta(transaction: u64, pages: u64, root: u64) -> Vec<u8> {
    let mut meta = Vec::new();
    meta.extend(MAGIC.to_le_bytes());
    meta.extend(VERSION.to_le_bytes());
    meta.extend((PAGE as u32).to_le_bytes());
    meta.extend(0_u32.to_le_bytes());
    for number in [root, 0, 2, pages, transaction] {
        meta.extend(number.to_le_bytes());
    }
    meta.extend(checksum(&meta).to_le_bytes());
    let mut page = header(transaction % 2, KIND, 0, 0);
    page.extend(meta);
    page.resize(PAGE, 0);
    page
}

fn bucket(file: &mut Vec<u8>, name: &str, pairs: &[Pair]) -> Pair {
    let (mut root, mut inline) = (0, Vec::new());
    if pairs.len() < 2 {
        inline = header(0, LEAF, pairs.len(), 0);
        inline.extend(leaf(pairs, 0));
    } else {
        let leaves: Vec<Pair> = pairs
            .chunks(PER_LEAF)
            .map(|pairs| (pairs[0].0.clone(), append(file, LEAF, &leaf(pairs, 0), pairs.len()).to_le_bytes().to_vec()))
            .collect();
        root = match leaves.as_slice() {
            [(_, number)] => u64::from_le_bytes(number.as_slice().try_into().unwrap()),
            leaves => append(file, BRANCH, &branch(leaves), leaves.len()),
        };
    }
    let value = [&u64::to_le_bytes(root)[..], &[0; 8], &inline].concat();
    (name.into(), value)
}

fn header(number: u64, flags: u16, count: usize, overflow: u32) -> Vec<u8> {
    [&number.to_le_bytes()[..], &flags.to_le_bytes(), &(count as u16).to_le_bytes(), &overflow.to_le_bytes()].concat()
}

fn leaf(pairs: &[Pair], flags: u32) -> Vec<u8> {
    let (mut elements, mut data) = (Vec::new(), Vec::new());
    for (index, (key, value)) in pairs.iter().enumerate() {
        let position = (pairs.len() - index) * ELEMENT + data.len();
        for number in [flags, position as u32, key.len() as u32, value.len() as u32] {
            elements.extend(number.to_le_bytes());
        }
        data.extend([key.as_slice(), value].concat());
    }
    [elements, data].concat()
}

fn branch(children: &[Pair]) -> Vec<u8> {
    let (mut elements, mut data) = (Vec::new(), Vec::new());
    for (index, (key, page)) in children.iter().enumerate() {
        let position = (children.len() - index) * ELEMENT + data.len();
        elements.extend([(position as u32).to_le_bytes(), (key.len() as u32).to_le_bytes()].concat());
        elements.extend(page);
        data.extend(key);
    }
    [elements, data].concat()
}

/// Appends a page, and tells its number.
fn append(file: &mut Vec<u8>, flags: u16, content: &[u8], count: usize) -> u64 {
    let number = (file.len() / PAGE) as u64;
    let pages = (header::LENGTH + content.len()).div_ceil(PAGE);
    file.extend(header(number, flags, count, pages as u32 - 1));
    file.extend(content);
    file.resize((number as usize + pages) * PAGE, 0);
    number
}
