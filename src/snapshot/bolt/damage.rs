//! What can be wrong with a database.

use std::io;

use thiserror::Error;

/// Why a file is no whole bbolt database.
#[derive(Debug, Error)]
pub enum Damage {
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Neither of the first two pages is a valid one.
    #[error("it does not begin with a valid page of a bbolt database")]
    Meta,
    /// The file ends before its last page does.
    #[error("its database has {pages} pages of {page_size} bytes, and it holds only {bytes} bytes of them")]
    Short {
        /// Pages that there should be.
        pages: u64,
        /// Bytes of each.
        page_size: u64,
        /// Bytes that there are.
        bytes: u64,
    },
    /// A page is not what the pages that lead to it say.
    #[error("page {page} of its database is damaged: {why}")]
    Page {
        /// Number of the page.
        page: u64,
        /// What is wrong.
        why: String,
    },
}

impl Damage {
    /// `page` is damaged.
    pub(super) fn page(page: u64, why: impl Into<String>) -> Self {
        Self::Page { page, why: why.into() }
    }
}
