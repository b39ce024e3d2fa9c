//! Where something of an add-on was written.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file of an add-on, or a line in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddonPlace {
    /// The file, or what stands for it.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// Whose line it is.
    of: Of,
}

/// What lines are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The file.
    File,
    /// What a template makes.
    Filled,
}

impl AddonPlace {
    /// A file as a whole.
    pub(in crate::desired) fn file(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), line: None, of: Of::File }
    }

    /// A line of a file.
    pub(in crate::desired) fn line(path: &Path, line: usize) -> Self {
        Self { path: path.to_owned(), line: Some(line), of: Of::File }
    }

    /// A line of what a template makes.
    pub(super) fn filled_line(path: &Path, line: usize) -> Self {
        Self { path: path.to_owned(), line: Some(line), of: Of::Filled }
    }
}

impl fmt::Display for AddonPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match (self.line, self.of) {
            (None, _) => Ok(()),
            (Some(line), Of::File) => write!(f, ", line {line}"),
            (Some(line), Of::Filled) => write!(f, ", line {line} once it is filled"),
        }
    }
}
