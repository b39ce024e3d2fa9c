//! Whole databases are read whole, and damage in each kind of page is found where it is.

use proptest::prelude::*;

use super::testing::{PAGE, Pair, database, meta};
use super::*;

/// Everything that a walk told, a line each.
#[derive(Default)]
struct Told(Vec<String>);

impl Visit for Told {
    fn bucket(&mut self, name: &[u8]) {
        self.0.push(String::from_utf8_lossy(name).into_owned());
    }

    fn pair(&mut self, bucket: &[u8], key: &[u8], value: &[u8]) -> Result<(), String> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if value == b"bad" {
            return Err(format!("{} is bad", text(key)));
        }
        self.0.push(format!("{}/{}: {}", text(bucket), text(key), value.len()));
        Ok(())
    }
}

fn told(file: &[u8]) -> Result<Vec<String>, String> {
    let mut told = Told::default();
    let database = Database::open(file, file.len() as u64).map_err(|damage| damage.to_string())?;
    database.walk(&mut told).map_err(|damage| damage.to_string())?;
    Ok(told.0)
}

fn pairs(count: usize) -> Vec<Pair> {
    (0..count).map(|index| (format!("k{index:02}").into_bytes(), vec![index as u8; index + 1])).collect()
}

/// Pages: 3 the leaves of `many` and its branch 6, the long value 7 to 10, the root 11.
fn sample() -> Vec<u8> {
    let long = vec![(b"a".to_vec(), vec![1; 10_000]), (b"b".to_vec(), vec![2; 5])];
    database(&[("none", vec![]), ("one", pairs(1)), ("many", pairs(10)), ("long", long)])
}

#[test]
fn every_pair_of_every_bucket_is_told_in_order() {
    let told = told(&sample()).unwrap();
    assert_eq!(told[..3], ["long", "long/a: 10000", "long/b: 5"]);
    assert_eq!(told[3..5], ["many", "many/k00: 1"]);
    assert_eq!(told[13..], ["many/k09: 10", "none", "one", "one/k00: 1"]);
}

#[test]
fn damage_is_told_with_its_page() {
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = sample();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        told(&file).unwrap_err()
    };
    let (leaf, branch, long, root) = (3 * PAGE, 6 * PAGE, 7 * PAGE, 10 * PAGE);
    for (name, at, bytes, expected) in [
        ("another page's number", leaf, &[4][..], "page 3 of its database is damaged: it calls itself page 4"),
        ("a kind that none is", leaf + 8, &[8], "page 3 of its database is damaged: its kind is 0x8"),
        ("too many elements", leaf + 10, &[0, 9], "2304 elements do not fit"),
        ("a value beyond the page", leaf + 16 + 12, &[0, 0, 9], "element 0 lies outside"),
        ("a key within the elements", leaf + 16 + 4, &[1], "element 0 lies outside"),
        (
            "keys that change places",
            leaf + 16 + 64,
            b"k05",
            "page 3 of its database is damaged: its keys do not ascend",
        ),
        ("longer than the database", long + 12, &[200], "page 7 of its database is damaged: it calls itself 201 pages"),
        ("a branch that leads to itself", branch + 16 + 8, &[6], "more than one page leads to it"),
        ("two ways to one page", branch + 16 + 16 + 8, &[3], "page 3 of its database is damaged: more than one page"),
        ("a key that is not where it is sought", branch + 67, b"k09", "page 4 of its database is damaged: its keys do"),
        ("branches that change places", branch + 67, b"k02", "page 6 of its database is damaged: its keys do not"),
        ("a way to no page", branch + 16 + 8, &[0, 1], "page 256 of its database is damaged: there is no such page"),
        ("a way to a meta page", branch + 16 + 8, &[1], "page 1 of its database is damaged: there is no such page"),
        ("an empty branch", branch + 10, &[0], "page 6 of its database is damaged: it leads nowhere"),
        ("free pages that are none", 2 * PAGE + 8, &[2], "page 2 of its database is damaged: it is no list of free"),
        ("a bucket that is a pair", root + 16, &[0], "only buckets"),
        ("a pair that is a bucket", leaf + 16, &[1], "only pairs"),
    ] {
        let told = changed(at, bytes);
        assert!(told.contains(expected), "{name}: {told}");
    }
    let bad = database(&[("key", vec![(b"k".to_vec(), b"bad".to_vec())])]);
    assert_eq!(told(&bad).unwrap_err(), "page 3 of its database is damaged: k is bad");
}

#[test]
fn the_newer_valid_meta_page_counts() {
    let open = |first: Vec<u8>, second: Vec<u8>| {
        let mut file = sample();
        file[..PAGE].copy_from_slice(&first);
        file[PAGE..2 * PAGE].copy_from_slice(&second);
        Database::open(&file[..], file.len() as u64).map(|database| database.meta.root).map_err(|why| why.to_string())
    };
    let broken = |transaction| {
        let mut page = meta(transaction, 9, 5);
        page[40] ^= 1;
        page
    };
    assert_eq!(open(meta(7, 9, 5), meta(8, 9, 6)), Ok(6));
    assert_eq!(open(meta(9, 9, 5), meta(8, 9, 6)), Ok(5));
    assert_eq!(open(broken(9), meta(8, 9, 6)), Ok(6));
    assert_eq!(open(meta(7, 9, 5), broken(8)), Ok(5));
    assert!(open(broken(7), broken(8)).unwrap_err().contains("valid page"));
    assert!(open(meta(7, 99, 5), meta(6, 9, 5)).unwrap_err().contains("99 pages of 4096 bytes"));
    assert!(open(meta(7, u64::MAX, 5), meta(6, 9, 5)).unwrap_err().contains("pages of 4096 bytes"));
    assert!(told(b"").unwrap_err().contains("valid page"));
}

proptest! {
    /// Whatever the bytes are: an answer, and neither a panic nor a walk without end.
    #[test]
    fn hostile_files_are_answered(changes in prop::collection::vec((0_usize..11 * 4096, any::<u8>()), 1..12)) {
        let mut file = sample();
        for (at, byte) in changes {
            file[at] = byte;
        }
        let _ = told(&file);
    }

    /// The same where the bytes that matter are hit: headers and elements.
    #[test]
    fn hostile_pages_are_answered(
        changes in prop::collection::vec((3_usize..11, 0_usize..160, any::<u8>()), 1..6),
    ) {
        let mut file = sample();
        for (page, at, byte) in changes {
            file[page * PAGE + at] = byte;
        }
        let _ = told(&file);
    }

    #[test]
    fn what_was_put_in_comes_out(counts in prop::collection::vec(0_usize..40, 0..6)) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let buckets: Vec<_> = names.iter().zip(&counts).map(|(name, count)| (*name, pairs(*count))).collect();
        let found = told(&database(&buckets)).unwrap();
        prop_assert_eq!(found.len(), counts.len() + counts.iter().sum::<usize>());
    }
}
