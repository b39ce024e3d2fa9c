//! Secrets that are known by their value.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::marks::Marks;
use super::{names, value};

/// Shorter ones stand in words of every log.
const SHORTEST: usize = 6;

/// Values that never leave, as they are and as base64, whatever stands before them.
#[derive(Clone, Default)]
pub struct Known {
    by_beginning: HashMap<[u8; SHORTEST], Vec<String>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known(secret)")
    }
}

impl Known {
    /// What is known of `values`; those of fewer than six bytes are left out.
    pub fn of<V: AsRef<str>>(values: impl IntoIterator<Item = V>) -> Self {
        let mut forms = BTreeSet::new();
        for value in values {
            let value = value.as_ref().trim();
            forms.insert(value.to_owned());
            forms.insert(value.replace('\\', "\\\\").replace('"', "\\\""));
            forms.extend(encoded(value));
        }
        let mut by_beginning: HashMap<_, Vec<String>> = HashMap::new();
        for form in forms {
            if let Some(beginning) = form.as_bytes().first_chunk::<SHORTEST>() {
                by_beginning.entry(*beginning).or_default().push(form);
            }
        }
        Self { by_beginning }
    }

    pub(super) fn mark(&self, line: &str, marks: &mut Marks) {
        if self.by_beginning.is_empty() {
            return;
        }
        for (at, beginning) in line.as_bytes().windows(SHORTEST).enumerate() {
            let Some(forms) =
                beginning.try_into().ok().and_then(|beginning: [u8; SHORTEST]| self.by_beginning.get(&beginning))
            else {
                continue;
            };
            for form in forms.iter().filter(|form| line.as_bytes()[at..].starts_with(form.as_bytes())) {
                marks.add(at..at + form.len());
            }
        }
    }
}

/// What base64 makes of a value that begins at any byte of what is encoded, without what its neighbours have a share in.
fn encoded(value: &str) -> impl Iterator<Item = String> {
    (0..3).filter(|_| value.len() >= SHORTEST).filter_map(move |before| {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value.as_bytes());
        let whole = bytes.len() / 3 * 4;
        let text = BASE64_STANDARD_NO_PAD.encode(&bytes);
        let first = if before == 0 { 0 } else { 4 };
        text.get(first..whole).map(str::to_owned)
    })
}

/// The secrets in a file that holds some: what is called one, the lines of its keys, and all of it where it is one line.
pub fn values_in(content: &str) -> Vec<String> {
    let lines: Vec<&str> = content.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let [one] = lines[..] {
        return vec![one.to_owned()];
    }
    let mut values = Vec::new();
    let mut in_key = false;
    for line in lines {
        if line.starts_with("-----") {
            in_key = line.contains("BEGIN") && line.contains("PRIVATE KEY");
        } else if in_key {
            values.push(line.to_owned());
        } else {
            let own = line.trim_start_matches("- ").trim_start_matches(['"', '\'']);
            let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let (key, rest) = own.split_at(own.find(|c| !in_name(c)).unwrap_or(own.len()));
            let value =
                rest.trim_start_matches([' ', '\t', ':', '=', '"', '\'']).trim_end_matches(['"', '\'', ';', ',']);
            if names::strength(key).is_some() && !value::is_harmless(value) {
                values.push(value.to_owned());
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::super::text;
    use super::*;

    #[test]
    fn a_known_value_is_found_as_it_is_and_encoded() {
        let known = Known::of(["hunter-two", "short", "p\"w\\d12"]);
        for before in ["", "a", "ab", "abc"] {
            let encoded = BASE64_STANDARD.encode(format!("{before}hunter-two:x"));
            let shown = text(&format!("it is {encoded}"), &known);
            let left = shown.replace("[redacted]", "");
            assert!(left.len() <= "it is ".len() + 8 + 4, "{before}: {shown}");
        }
        assert_eq!(text("xhunter-twoy hunter-tw0 short", &known), "x[redacted]y hunter-tw0 short");
        assert_eq!(text(r#"{"a":"p\"w\\d12"}"#, &known), r#"{"a":"[redacted]"}"#);
        assert_eq!(format!("{known:?}"), "Known(secret)");
    }

    #[test]
    fn files_of_secrets_tell_what_is_secret_in_them() {
        for (content, expected) in [
            ("hunter2\n", &["hunter2"][..]),
            ("-----BEGIN EC PRIVATE KEY-----\nMHcC\nAQEE\n-----END EC PRIVATE KEY-----\n", &["MHcC", "AQEE"]),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", &[]),
            ("[default]\naws_access_key_id = AKIA\naws_secret_access_key = wJalr\n", &["AKIA", "wJalr"]),
            ("kind: X\nkeys:\n  - name: one\n    secret: c2Vj\n", &["c2Vj"]),
            ("vrrp_instance a {\n  auth_type PASS\n  auth_pass 12345678\n}\n", &["12345678"]),
            ("users:\n- user:\n    client-certificate-data: LS0x\n    client-key-data: LS0y\n", &["LS0y"]),
        ] {
            assert_eq!(values_in(content), expected, "{content}");
        }
    }
}
