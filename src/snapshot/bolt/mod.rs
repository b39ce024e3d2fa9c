//! bbolt's file format, read and judged without bbolt: every page of every bucket, with bounded memory, whatever the file
//! holds. It must not write, and it knows nothing of etcd.

mod damage;
mod header;
mod meta;
mod page;
mod source;
mod walk;

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

pub use damage::Damage;
pub use source::Source;

use meta::Meta;

/// A database whose beginning is valid.
#[derive(Debug)]
pub(super) struct Database<'s, S: Source + ?Sized> {
    source: &'s S,
    meta: Meta,
}

/// What is told of a database while it is walked: buckets in order, and in each its pairs in order.
pub(super) trait Visit {
    /// A pair of `bucket`. An error is what is wrong with it.
    fn pair(&mut self, bucket: &[u8], key: &[u8], value: &[u8]) -> Result<(), String>;
    /// A bucket begins.
    fn bucket(&mut self, name: &[u8]);
}

impl<'s, S: Source + ?Sized> Database<'s, S> {
    /// Looks at the beginning of the first `length` bytes of `source`: at its two meta pages, of which the newer valid one counts.
    pub(super) fn open(source: &'s S, length: u64) -> Result<Self, Damage> {
        let meta = Meta::newest(source, length)?;
        Ok(Self { source, meta })
    }

    /// Reads every page in use, and tells `visit` what it holds.
    pub(super) fn walk(&self, visit: &mut impl Visit) -> Result<(), Damage> {
        walk::walk(self.source, &self.meta, visit)
    }
}
