//! Does a known_hosts line speak of a host?

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The first field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hosts {
    /// Comma-separated names with `*`, `?` and `!`, lower case.
    Patterns(Vec<String>),
    /// `|1|salt|hash`: one name, readable only to those who know it.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl Hosts {
    pub(super) fn parse(field: &str) -> Option<Self> {
        let Some(hashed) = field.strip_prefix("|1|") else {
            return Some(Self::Patterns(field.to_lowercase().split(',').map(str::to_owned).collect()));
        };
        let (salt, hash) = hashed.split_once('|')?;
        Some(Self::Hashed { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? })
    }

    /// Whether `name` (`host`, or `[host]:port` for another port than 22; lower case) is meant.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Patterns(patterns) => {
                let hit = |pattern: &String| glob(pattern.strip_prefix('!').unwrap_or(pattern), name);
                let (negated, plain): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.starts_with('!'));
                plain.into_iter().any(hit) && !negated.into_iter().any(hit)
            }
            Self::Hashed { salt, hash } => {
                // SHA-1 is what the format has; it hides names here, and no trust hangs on it.
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                hmac::verify(&key, name.as_bytes(), hash).is_ok()
            }
        }
    }
}

/// Whether `pattern`, with `*` for any text and `?` for any character, covers all of `text`.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and how much text it has swallowed: the only place to come back to.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    (p, t) = (at + 1, swallowed + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_like_those_of_openssh() {
        for (field, name, matches) in [
            ("m1", "m1", true),
            ("M1.Example", "m1.example", true),
            ("m1,10.0.0.1", "10.0.0.1", true),
            ("m1", "m10", false),
            ("m?", "m1", true),
            ("m?", "m", false),
            ("*.example", "a.b.example", true),
            ("*.example", "example", false),
            ("*", "anything", true),
            ("*,!m1", "m1", false),
            ("!m1,*", "m1", false),
            ("!m1", "m2", false),
            ("m1", "[m1]:2222", false),
            ("[m1]:2222", "[m1]:2222", true),
            ("[*]:2222", "[m1]:2222", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXcXb", false),
            ("", "", true),
        ] {
            assert_eq!(Hosts::parse(field).unwrap().matches(name), matches, "{field} {name}");
        }
    }

    #[test]
    fn a_hashed_name_is_recognised() {
        // `m1.example` and `[10.0.0.1]:2222`, hashed by ssh-keygen -H.
        let hosts = Hosts::parse("|1|so3F3H+JAnQZTi+cfNZWNTJP/vA=|cwumfw4pZWMER71SQrs6UaFSnNQ=").unwrap();
        assert!(hosts.matches("m1.example"));
        assert!(!hosts.matches("m2.example"));
        let hosts = Hosts::parse("|1|dScSCcxtvZxyTp2NwOPaMk6IJOk=|NQSA626n+5fyTbiCn+7jeSuixCw=").unwrap();
        assert!(hosts.matches("[10.0.0.1]:2222"));
        for bad in ["|1|", "|1|abc", "|1|!!|??", "|1|F1E1|"] {
            assert!(Hosts::parse(bad).is_none_or(|hosts| !hosts.matches("")), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_what_a_star_replaces(a in "[a-z.]{0,6}", b in "[a-z.]{0,6}", c in "[a-z.]{0,6}") {
            let text = format!("{a}{b}{c}");
            prop_assert!(glob(&text, &text));
            let starred = format!("{a}*{c}");
            prop_assert!(glob(&starred, &text));
            let longer = format!("{text}x");
            prop_assert!(!glob(&text, &longer));
        }
    }
}
