//! Which names are those of secrets.

/// How sure it is that what goes by a name is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// In every sentence.
    Sure,
    /// Where it is assigned; in prose a word such as "token: expired" is none.
    Likely,
}

/// Parts of names, without what joins their words.
const SURE: &[&str] = &[
    "passw",
    "passphrase",
    "authpass",
    "keydata",
    "privatekey",
    "secretkey",
    "secretaccess",
    "accesskey",
    "apikey",
    "clientsecret",
    "identitytoken",
    "encryptionkey",
    "sharedkey",
    "presharedkey",
    "hmackey",
];
const LIKELY: &[&str] = &["token", "secret", "credential"];
/// Whole names.
const SURE_ALONE: &[&str] = &["pass", "pwd", "psk", "authorization", "proxyauthorization", "cookie", "setcookie"];
const LIKELY_ALONE: &[&str] = &["auth"];
/// Last words of names of several: `DB_PASS`.
const LIKELY_LAST: &[&str] = &["pass", "pwd", "psk"];

/// Ends of names for what is about a secret, and none.
const ABOUT: &[&str] = &[
    "name",
    "names",
    "file",
    "files",
    "path",
    "dir",
    "directory",
    "seconds",
    "ttl",
    "count",
    "ref",
    "refs",
    "type",
    "types",
    "namespace",
    "mode",
    "size",
    "policy",
    "version",
    "length",
    "expiration",
    "expiry",
    "enabled",
    "required",
    "class",
    "provider",
    "controller",
    "cleaner",
    "signer",
    "review",
    "reviews",
    "request",
    "requests",
    "lister",
    "informer",
    "env",
    "tokenid",
    "audience",
    "audiences",
    "issuer",
    "period",
    "duration",
    "timeout",
    "resourceversion",
];

/// How sure it is that what goes by `name` is a secret; `None` for all other names.
pub(super) fn strength(name: &str) -> Option<Strength> {
    let last = name.rsplit_once(['-', '_', '.']).map(|(_, last)| last);
    let is_last = last.is_some_and(|last| LIKELY_LAST.iter().any(|word| last.eq_ignore_ascii_case(word)));
    let name: String = name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    if ABOUT.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(SURE) || SURE_ALONE.contains(&name.as_str()) {
        Some(Strength::Sure)
    } else if is_last || has(LIKELY) || LIKELY_ALONE.contains(&name.as_str()) {
        Some(Strength::Likely)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_about_them() {
        use Strength::{Likely, Sure};
        for (name, expected) in [
            ("password", Some(Sure)),
            ("DB_PASSWORD", Some(Sure)),
            ("becomePassword", Some(Sure)),
            ("auth_pass", Some(Sure)),
            ("client-key-data", Some(Sure)),
            ("aws_secret_access_key", Some(Sure)),
            ("Authorization", Some(Sure)),
            ("token", Some(Likely)),
            ("--bootstrap-token", Some(Likely)),
            ("clientSecret", Some(Sure)),
            ("auth", Some(Likely)),
            ("secretName", None),
            ("token-auth-file", None),
            ("tokenExpirationSeconds", None),
            ("token-ttl", None),
            ("authorization-mode", None),
            ("DB_PASS", Some(Likely)),
            ("MYSQL_PWD", Some(Likely)),
            ("bypass", None),
            ("compass", None),
            ("PWD", Some(Sure)),
            ("authentication", None),
            ("client-certificate-data", None),
            ("key", None),
        ] {
            assert_eq!(strength(name), expected, "{name}");
        }
    }
}
