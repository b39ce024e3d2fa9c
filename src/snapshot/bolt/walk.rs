//! The way through all pages: the bucket of buckets, and each bucket of it. Every page is met once, and keys ascend.

use super::Visit;
use super::damage::Damage;
use super::meta::Meta;
use super::page::{self, Elements, Page, Pair};
use super::source::Source;

/// Branches above a leaf: with two children each, more pages than any file has.
const DEEPEST: usize = 48;
/// Bytes that names and values of buckets may take. etcd has about ten of them, without values.
const BUCKETS: usize = 1 << 20;

pub(super) fn walk(source: &(impl Source + ?Sized), meta: &Meta, visit: &mut impl Visit) -> Result<(), Damage> {
    if let Some(number) = meta.freelist {
        page::check_freelist(source, meta, number)?;
    }
    let mut pages = Pages { source, meta, met: Met::of(meta.pages) };
    for Bucket { name, value, page: number } in pages.buckets()? {
        visit.bucket(&name);
        let mut pair = |pair: &Pair<'_>, number| {
            if pair.is_bucket {
                return Err(Damage::page(number, "a bucket stands where only pairs do"));
            }
            visit.pair(&name, pair.key, pair.value).map_err(|why| Damage::page(number, why))
        };
        let (root, rest) = page::bucket(&value, number)?;
        if root == 0 {
            Order::default().leaf(&Elements::inline(rest, number)?, number, &mut pair)?;
        } else {
            pages.tree(root, &mut pair)?;
        }
    }
    Ok(())
}

/// A bucket as the page that names it does.
struct Bucket {
    name: Vec<u8>,
    value: Vec<u8>,
    page: u64,
}

struct Pages<'p, S: ?Sized> {
    source: &'p S,
    meta: &'p Meta,
    met: Met,
}

impl<S: Source + ?Sized> Pages<'_, S> {
    fn buckets(&mut self) -> Result<Vec<Bucket>, Damage> {
        let (mut found, mut room) = (Vec::new(), BUCKETS);
        self.tree(self.meta.root, &mut |pair: &Pair<'_>, number| {
            if !pair.is_bucket {
                return Err(Damage::page(number, "a pair stands where only buckets do"));
            }
            let size = pair.key.len() + pair.value.len();
            room = room.checked_sub(size).ok_or_else(|| Damage::page(number, "it has too many buckets"))?;
            found.push(Bucket { name: pair.key.to_vec(), value: pair.value.to_vec(), page: number });
            Ok(())
        })?;
        Ok(found)
    }

    /// Tells `each` every pair below page `root`, in order.
    fn tree(&mut self, root: u64, each: &mut impl FnMut(&Pair<'_>, u64) -> Result<(), Damage>) -> Result<(), Damage> {
        // Branches on the way down, each with the next of its children.
        let mut way: Vec<(Elements, usize)> = Vec::new();
        let (mut next, mut order) = (Some(root), Order::default());
        while let Some(number) = next.take() {
            match self.read(number)? {
                Page::Leaf(leaf) => order.leaf(&leaf, number, each)?,
                Page::Branch(branch) if branch.count == 0 => return Err(Damage::page(number, "it leads nowhere")),
                Page::Branch(_) if way.len() == DEEPEST => return Err(Damage::page(number, "it is too deep")),
                Page::Branch(branch) => way.push((branch, 0)),
            }
            while let Some((branch, index)) = way.last_mut() {
                if *index < branch.count {
                    let (key, page) = branch.child(*index)?;
                    order.below(key, branch.page)?;
                    next = Some(page);
                    *index += 1;
                    break;
                }
                way.pop();
            }
        }
        Ok(())
    }

    fn read(&mut self, number: u64) -> Result<Page, Damage> {
        let page = Page::read(self.source, self.meta, number)?;
        let (Page::Branch(elements) | Page::Leaf(elements)) = &page;
        for one in number..=number + elements.overflow {
            if !self.met.first_time(one) {
                return Err(Damage::page(one, "more than one page leads to it"));
            }
        }
        Ok(page)
    }
}

/// The order of keys in one tree: they ascend, and each is found below the branches that lead to it.
#[derive(Default)]
struct Order {
    last: Vec<u8>,
    /// The next key is no lower than this.
    least: Vec<u8>,
}

impl Order {
    const WRONG: &str = "its keys do not ascend";

    /// What follows is below a branch's `key`.
    fn below(&mut self, key: &[u8], page: u64) -> Result<(), Damage> {
        if !self.last.is_empty() && self.last.as_slice() >= key || self.least.as_slice() > key {
            return Err(Damage::page(page, Self::WRONG));
        }
        key.clone_into(&mut self.least);
        Ok(())
    }

    fn leaf(
        &mut self,
        leaf: &Elements,
        number: u64,
        each: &mut impl FnMut(&Pair<'_>, u64) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        for index in 0..leaf.count {
            let pair = leaf.pair(index)?;
            // No key is empty.
            if self.last.as_slice() >= pair.key || self.least.as_slice() > pair.key {
                return Err(Damage::page(number, Self::WRONG));
            }
            pair.key.clone_into(&mut self.last);
            each(&pair, number)?;
        }
        Ok(())
    }
}

/// Which pages were met: one bit each.
struct Met(Vec<u64>);

impl Met {
    /// The pages are those of a file that is there, so there is room for them.
    fn of(pages: u64) -> Self {
        Self(vec![0; usize::try_from(pages / 64 + 1).unwrap_or(0)])
    }

    fn first_time(&mut self, page: u64) -> bool {
        let word = usize::try_from(page / 64).ok().and_then(|word| self.0.get_mut(word));
        let Some(word) = word else { return false };
        let bit = 1 << (page % 64);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}
