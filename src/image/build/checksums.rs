//! What publishers have beside their files: `FILE.sha256`, `SHA256SUMS` and the like.

use crate::image::digest::is_sha256;

/// Where the checksum of the file at `url` may be, the likeliest first.
pub(super) fn candidates(url: &str) -> Vec<String> {
    let plain = url.split(['?', '#']).next().unwrap_or(url);
    let directory = plain.rsplit_once('/').map_or(plain, |(directory, _)| directory);
    vec![format!("{plain}.sha256"), format!("{plain}.sha256sum"), format!("{directory}/SHA256SUMS")]
}

/// The name of the file at `url`.
pub(super) fn file_name(url: &str) -> &str {
    let plain = url.split(['?', '#']).next().unwrap_or(url);
    plain.rsplit('/').next().unwrap_or(plain)
}

/// The checksum of `file` in `text`: a line `HEX  FILE` or `HEX *FILE` as sha256sum writes it, or nothing but HEX.
pub(super) fn find(text: &str, file: &str) -> Option<String> {
    let lines = || text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|line| !line.is_empty());
    let named = lines().find_map(|line| match line[..] {
        [hex, name] if name.trim_start_matches('*').rsplit('/').next() == Some(file) => Some(hex.to_owned()),
        _ => None,
    });
    let only = || match &lines().collect::<Vec<_>>()[..] {
        [line] if line.len() == 1 => Some(line[0].to_owned()),
        _ => None,
    };
    named.or_else(only).map(|hex| hex.to_ascii_lowercase()).filter(|hex| is_sha256(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_found_in_every_form() {
        let (one, two) = ("1".repeat(64), "ab".repeat(32));
        for (text, expected) in [
            (one.clone(), Some(&one)),
            (format!("{one}\n"), Some(&one)),
            (format!("{one}  etcd.tar.gz\n"), Some(&one)),
            (format!("{two}  other\n\n{one} *etcd.tar.gz\n"), Some(&one)),
            (format!("{one}  ./release/etcd.tar.gz"), Some(&one)),
            (format!("{}  etcd.tar.gz", two.to_uppercase()), Some(&two)),
            (format!("{one}  another.tar.gz"), None),
            (format!("{one}\n{two}\n"), None),
            ("<html>404</html>".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(find(&text, "etcd.tar.gz").as_ref(), expected, "{text}");
        }
    }

    #[test]
    fn checksums_are_looked_for_beside_the_file() {
        assert_eq!(
            candidates("https://example.org/v1/a.tgz?x=y"),
            [
                "https://example.org/v1/a.tgz.sha256",
                "https://example.org/v1/a.tgz.sha256sum",
                "https://example.org/v1/SHA256SUMS"
            ]
        );
        assert_eq!(file_name("https://example.org/v1/a.tgz?x=y"), "a.tgz");
    }
}
