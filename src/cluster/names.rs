//! Names of clusters and hosts: DNS labels and subdomains, as Kubernetes wants node names.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than the limit.
    #[error("is {0} characters long; at most {1} are allowed")]
    TooLong(usize, usize),
    /// A character that a DNS name may not have.
    #[error("contains {0:?}; only a-z, 0-9, '-' and '.' are allowed")]
    Character(char),
    /// A label that starts or ends with a hyphen, or is empty.
    #[error("has a part that is empty or starts or ends with '-'")]
    Edge,
}

/// Names that a line has room for.
const LISTED: usize = 6;

/// Names on one line: all of a few; of many the first, and how many more.
pub fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        others => format!("{shown} and {others} more"),
    }
}

pub(super) fn check_subdomain(text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > limit {
        return Err(NameError::TooLong(text.len(), limit));
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.')) {
        return Err(NameError::Character(bad));
    }
    if text.split('.').any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-')) {
        return Err(NameError::Edge);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $limit:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a name, or says why it is none.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check_subdomain(text, $limit).map(|()| Self(text.to_owned()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name!(
    /// The name of a cluster: at most 63 characters, because it becomes part of file and certificate names.
    ClusterName,
    63
);
name!(
    /// The name of a host, which is also its node name: at most 63 characters, so that it fits a label value.
    HostName,
    63
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_subdomains() {
        for good in ["m1", "node-01.bj1", "a"] {
            assert!(HostName::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", NameError::Empty),
            ("M1", NameError::Character('M')),
            ("a_b", NameError::Character('_')),
            ("-a", NameError::Edge),
            ("a..b", NameError::Edge),
            ("a-", NameError::Edge),
        ] {
            assert_eq!(HostName::parse(bad), Err(why), "{bad}");
        }
        assert_eq!(HostName::parse(&"a".repeat(64)), Err(NameError::TooLong(64, 63)));
    }
}
