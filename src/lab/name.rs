//! The name of a lab.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::LabError;

/// The name of a lab; it also names its namespace, its directory and its cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabName(String);

impl LabName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network namespace of a lab of that name.
    pub fn namespace(&self) -> String {
        format!("kw-{}", self.0)
    }
}

impl FromStr for LabName {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let refuse = |why| Err(LabError::Name { name: text.to_owned(), why });
        if text.len() > 20 {
            return refuse("is too long");
        }
        if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
            return refuse("does not begin with a letter");
        }
        if !text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            return refuse("has a character that is not allowed");
        }
        if text.ends_with('-') {
            return refuse("ends with '-'");
        }
        // What lies beside the directory of a lab where a cluster is called `lab`.
        if ["pki", "runs"].contains(&text) {
            return refuse("is that of a directory in which keys or logs are kept");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for LabName {
    type Error = LabError;

    fn try_from(text: String) -> Result<Self, LabError> {
        text.parse()
    }
}

impl From<LabName> for String {
    fn from(name: LabName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths_and_host_names() {
        for good in ["lab", "a", "ci-17", "e2e"] {
            assert!(good.parse::<LabName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "1a", "A", "a_b", "a/b", "..", "a b", "pki", "runs", &"a".repeat(21)] {
            assert!(bad.parse::<LabName>().is_err(), "{bad}");
        }
    }
}
