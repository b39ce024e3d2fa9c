//! Labels and taints of nodes, with the rules of the Kubernetes API.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Labels by key.
pub type Labels = BTreeMap<LabelKey, LabelValue>;

fn check_word(text: &str, what: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err(format!("{what} {text:?} is {} characters long; at most 63 are allowed", text.len()));
    }
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        return Err(format!("{what} {text:?} contains {bad:?}; only letters, digits, '-', '_' and '.' are allowed"));
    }
    let edge = |c: Option<char>| c.is_some_and(|c| !c.is_ascii_alphanumeric());
    if edge(text.chars().next()) || edge(text.chars().last()) {
        return Err(format!("{what} {text:?} must begin and end with a letter or a digit"));
    }
    Ok(())
}

/// The key of a label or taint: `name` or `prefix/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelKey(String);

impl LabelKey {
    /// Parses a key, or says why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = match text.split_once('/') {
            Some((prefix, name)) => {
                let label = |label: &str| {
                    let dns = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
                    !label.is_empty() && label.chars().all(dns) && !label.starts_with('-') && !label.ends_with('-')
                };
                if prefix.len() > 253 || !prefix.split('.').all(label) {
                    return Err(format!("the prefix {prefix:?} of key {text:?} is not a DNS name"));
                }
                name
            }
            None => text,
        };
        if name.is_empty() {
            return Err(format!("key {text:?} has no name"));
        }
        check_word(name, "key")?;
        Ok(Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of a label; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelValue(String);

impl LabelValue {
    /// Parses a value, or says why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_word(text, "value").map(|()| Self(text.to_owned()))
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

as_text!(LabelKey);
as_text!(LabelValue);

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away if they can.
    PreferNoSchedule,
    /// Running pods leave, too.
    NoExecute,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taint {
    /// Key.
    pub key: LabelKey,
    /// Value; may be empty.
    pub value: LabelValue,
    /// Effect.
    pub effect: TaintEffect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_follow_the_api() {
        for good in ["rack", "topology.kubernetes.io/zone", "a_b.c-D"] {
            assert!(LabelKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "Bad_Prefix/a", "a b", "-a", "a-", "a..b/c", ".a/b", "a-/b", "a./b", "a/b/c"] {
            assert!(LabelKey::parse(bad).is_err(), "{bad}");
        }
        assert!(LabelValue::parse("").is_ok());
        assert!(LabelValue::parse("r1.row-2").is_ok());
        assert!(LabelValue::parse("not ok").is_err());
        assert!(LabelValue::parse(&"a".repeat(64)).is_err());
    }
}
