//! One page: a header, elements of sixteen bytes, and the keys and values that they point to.

use super::damage::Damage;
use super::header::{self, Header, long, short};
use super::meta::Meta;
use super::source::Source;

pub(super) const ELEMENT: usize = 16;
pub(super) const BRANCH: u16 = 1;
pub(super) const LEAF: u16 = 2;
pub(super) const FREELIST: u16 = 16;
/// Of an element of a leaf: its value is a bucket.
const BUCKET: u32 = 1;
/// A page that is larger is held to be damaged before it is read: etcd's largest request is 1.5 MiB where nobody raised
/// it, and a page holds few of that size.
const LARGEST: u64 = 64 << 20;
/// Keys of ours are short, so those pages are. They are held in memory all the way down.
const LARGEST_BRANCH: u64 = 1 << 20;

/// A page that leads to others, or one that holds pairs.
#[derive(Debug)]
pub(super) enum Page {
    Branch(Elements),
    Leaf(Elements),
}

/// The content of a page, of which every element lies within it.
#[derive(Debug)]
pub(super) struct Elements {
    content: Vec<u8>,
    /// Of the page in which this is: for messages.
    pub(super) page: u64,
    pub(super) count: usize,
    /// Pages that it takes beside its own.
    pub(super) overflow: u64,
}

/// That page `number` lists free pages, as the meta page says.
pub(super) fn check_freelist(source: &(impl Source + ?Sized), meta: &Meta, number: u64) -> Result<(), Damage> {
    meta.check_holds(number)?;
    let mut bytes = [0; header::LENGTH];
    source.read_at(&mut bytes, number * meta.page_size)?;
    let Header { number: own, kind, overflow, .. } = Header::parse(&bytes);
    if (own, kind) != (number, FREELIST) || overflow >= meta.pages - number {
        return Err(Damage::page(number, "it is no list of free pages, which it should be"));
    }
    Ok(())
}

impl Page {
    /// Reads page `number`, which takes as many pages as its header says.
    pub(super) fn read(source: &(impl Source + ?Sized), meta: &Meta, number: u64) -> Result<Self, Damage> {
        meta.check_holds(number)?;
        let offset = number * meta.page_size;
        let size = usize::try_from(meta.page_size).map_err(|_| Damage::page(number, "its size"))?;
        let mut content = vec![0; size];
        source.read_at(&mut content, offset)?;
        let Header { number: own, kind, count, overflow } = Header::parse(&content);
        if own != number {
            return Err(Damage::page(number, format!("it calls itself page {own}")));
        }
        let largest = match kind {
            BRANCH => LARGEST_BRANCH,
            LEAF => LARGEST,
            kind => return Err(Damage::page(number, format!("its kind is {kind:#x}, neither branch nor leaf"))),
        };
        if overflow >= meta.pages - number || (overflow + 1) * meta.page_size > largest {
            return Err(Damage::page(number, format!("it calls itself {} pages long", overflow + 1)));
        }
        if overflow > 0 {
            content.resize(size * (1 + overflow as usize), 0);
            source.read_at(&mut content[size..], offset + meta.page_size)?;
        }
        let elements = Elements::within(content, number, count, overflow)?;
        Ok(if kind == BRANCH { Self::Branch(elements) } else { Self::Leaf(elements) })
    }
}

impl Elements {
    /// The small bucket that stands in the value of an element of `page`, as a leaf with a header of its own.
    pub(super) fn inline(value: &[u8], page: u64) -> Result<Self, Damage> {
        if value.len() < header::LENGTH {
            return Err(Damage::page(page, "a bucket in it is cut short"));
        }
        match Header::parse(value) {
            Header { kind: LEAF, count, .. } => Self::within(value.to_vec(), page, count, 0),
            _ => Err(Damage::page(page, "a bucket in it has no leaf")),
        }
    }

    fn within(content: Vec<u8>, page: u64, count: usize, overflow: u64) -> Result<Self, Damage> {
        if header::LENGTH + count * ELEMENT > content.len() {
            return Err(Damage::page(page, format!("{count} elements do not fit into it")));
        }
        Ok(Self { content, page, count, overflow })
    }

    /// Key of the element `index` of a branch, and the page that it leads to.
    pub(super) fn child(&self, index: usize) -> Result<(&[u8], u64), Damage> {
        let at = header::LENGTH + index * ELEMENT;
        let (position, key) = (short(&self.content, at), short(&self.content, at + 4));
        Ok((self.piece(index, position.into(), key.into())?, long(&self.content, at + 8)))
    }

    /// The element `index` of a leaf.
    pub(super) fn pair(&self, index: usize) -> Result<Pair<'_>, Damage> {
        let at = header::LENGTH + index * ELEMENT;
        let [flags, position, key, value] = [0, 4, 8, 12].map(|part| short(&self.content, at + part));
        let (position, key, value) = (u64::from(position), u64::from(key), u64::from(value));
        Ok(Pair {
            is_bucket: flags & BUCKET != 0,
            key: self.piece(index, position, key)?,
            value: self.piece(index, position + key, value)?,
        })
    }

    /// `length` bytes, `position` after the beginning of the element `index`, and not within the elements.
    fn piece(&self, index: usize, position: u64, length: u64) -> Result<&[u8], Damage> {
        let begin = (header::LENGTH + index * ELEMENT) as u64 + position;
        let end = begin + length;
        let data = (header::LENGTH + self.count * ELEMENT) as u64;
        if begin < data || end > self.content.len() as u64 {
            return Err(Damage::page(self.page, format!("its element {index} lies outside of it")));
        }
        // Both are at most the length of a vector.
        Ok(&self.content[begin as usize..end as usize])
    }
}

/// What an element of a leaf holds.
#[derive(Debug)]
pub(super) struct Pair<'p> {
    pub(super) is_bucket: bool,
    pub(super) key: &'p [u8],
    pub(super) value: &'p [u8],
}

/// The value of an element that is a bucket: the page at which it begins, where it has pages of its own; else what
/// stands in the value itself.
pub(super) fn bucket(value: &[u8], page: u64) -> Result<(u64, &[u8]), Damage> {
    // The page, and a number that etcd does not use.
    const BUCKET_HEADER: usize = 16;
    if value.len() < BUCKET_HEADER {
        return Err(Damage::page(page, "a bucket in it is cut short"));
    }
    Ok((long(value, 0), &value[BUCKET_HEADER..]))
}
