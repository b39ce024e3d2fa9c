//! Everything that is wrong with an inventory, collected while it is read.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tree::Path;

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: String,
}

impl Fault {
    /// A fault with its remedy.
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// A fault at a place of the file.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// Bytes of the file to point at.
    pub(super) span: Range<usize>,
    /// The way there.
    pub(super) path: Path,
    /// What is wrong.
    pub(super) fault: Fault,
    /// Other places that have to do with it, and what is there.
    pub(super) related: Vec<(Range<usize>, String)>,
}

/// The collected problems. A value that is known to be wrong is not complained about twice.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    spoiled: BTreeSet<Path>,
}

impl Problems {
    /// Adds a problem unless the value, or one around it, is known to be wrong already.
    pub(super) fn report(&mut self, span: Range<usize>, path: &Path, fault: Fault) {
        if !self.is_spoiled(path) {
            self.push(span, path, fault);
        }
    }

    /// Adds a problem in any case.
    pub(super) fn push(&mut self, span: Range<usize>, path: &Path, fault: Fault) {
        self.spoil(path);
        self.note(span, path, fault, Vec::new());
    }

    /// Adds a problem that spoils no value, and has to do with other places, too.
    pub(super) fn note(&mut self, span: Range<usize>, path: &Path, fault: Fault, related: Vec<(Range<usize>, String)>) {
        self.list.push(Problem { span, path: path.clone(), fault, related });
    }

    /// Notes that what stands at `path` cannot be relied upon.
    pub(super) fn spoil(&mut self, path: &Path) {
        self.spoiled.insert(path.clone());
    }

    /// Whether the value at `path`, or one around it, is known to be wrong.
    pub(super) fn is_spoiled(&self, path: &Path) -> bool {
        path.with_ancestors().any(|above| self.spoiled.contains(&above))
    }

    /// Whether the value at `path`, one around it or one in it is known to be wrong.
    pub(super) fn touches(&self, path: &Path) -> bool {
        // What is in it comes right behind it.
        let below = self.spoiled.range(path.clone()..).next().is_some_and(|next| path.contains(next));
        below || self.is_spoiled(path)
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems in the order in which they were found.
    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
