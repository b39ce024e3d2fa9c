//! The version of a Linux kernel, as far as features come and go by it.

use std::fmt;

/// Major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32);

impl Release {
    /// From what `uname -r` prints: `3.10.0-1160.el7.x86_64`. None when it begins with no number.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-', '+']).map_while(|part| part.parse().ok());
        Some(Self(numbers.next()?, numbers.next().unwrap_or(0)))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_ordered() {
        for (text, release) in [
            ("3.10.0-1160.el7.x86_64", Some(Release(3, 10))),
            ("4.18.0-553.el8", Some(Release(4, 18))),
            ("6.1.0-41-amd64", Some(Release(6, 1))),
            ("7.2.12-lab-46cb", Some(Release(7, 2))),
            ("6", Some(Release(6, 0))),
            ("", None),
            ("none", None),
        ] {
            assert_eq!(Release::parse(text), release, "{text}");
        }
        assert!(Release(4, 9) < Release(4, 19) && Release(4, 19) < Release(5, 0));
    }
}
