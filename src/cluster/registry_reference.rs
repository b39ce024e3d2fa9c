//! References to images in registries.

use std::fmt;
use std::net::IpAddr;

/// `REGISTRY/NAME[:TAG][@sha256:DIGEST]`, with a tag, a digest, or both. There is no default for any part, because what
/// a cluster is made of must not depend on who reads its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryReference {
    /// Host of the registry, with its port where it has one.
    pub registry: String,
    /// Name of the image in the registry: `kubewright/kubernetes`.
    pub repository: String,
    /// Tag.
    pub tag: Option<String>,
    /// Digest: 64 hex digits.
    pub sha256: Option<String>,
}

impl RegistryReference {
    /// Parses a reference; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, sha256) = match text.split_once('@') {
            None => (text, None),
            Some((name, digest)) => match digest.strip_prefix("sha256:") {
                Some(hex) if is_sha256(hex) => (name, Some(hex.to_owned())),
                _ => return Err("the digest must be sha256: and 64 lower-case hex digits"),
            },
        };
        let (registry, rest) = name.split_once('/').ok_or("it names no registry")?;
        if !is_registry(registry) {
            return Err("it names no registry: the part before the first '/' is no host");
        }
        let (repository, tag) = match rest.split_once(':') {
            None => (rest, None),
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some(_) => return Err(TAG_RULE),
        };
        if repository.len() > 255 || !repository.split('/').all(is_component) {
            return Err("the name must be lower-case letters and digits, with '.', '_', '-' and '/' between them");
        }
        if tag.is_none() && sha256.is_none() {
            return Err("it has neither tag nor digest");
        }
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag, sha256 })
    }

    /// The same image by another tag, or by a digest.
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), sha256: None, ..self.clone() }
    }

    /// The image with this digest in the same repository.
    pub fn with_digest(&self, sha256: &str) -> Self {
        Self { tag: None, sha256: Some(sha256.to_owned()), ..self.clone() }
    }

    /// `REGISTRY/NAME`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(sha256) = &self.sha256 {
            write!(f, "@sha256:{sha256}")?;
        }
        Ok(())
    }
}

/// What a tag must be, for errors.
pub const TAG_RULE: &str = "the tag must be 1 to 128 letters, digits, '.', '_', '-', and not start with '.' or '-'";

/// Whether `text` is a tag.
pub fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// A host that cannot be mistaken for a part of a name: `localhost`, or with a dot or a port.
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good_host = match bracketed {
        Some(address) => matches!(address.parse(), Ok(IpAddr::V6(_))),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
    };
    good_host && good_port && (host == "localhost" || host.contains('.') || bracketed.is_some() || port.is_some())
}

/// Letters and digits, with single separators between them: '.', '_', '__', or dashes.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|byte| word(*byte)) && bytes.last().is_some_and(|byte| word(*byte));
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|gap| !gap.is_empty());
    ends && separators.into_iter().all(|gap| matches!(gap, "." | "_" | "__") || gap.bytes().all(|byte| byte == b'-'))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_parse_and_print() {
        let digest = "a".repeat(64);
        for text in [
            "registry.example/kubewright/kubernetes:v1.36.4",
            "localhost/a:1",
            "registry:5000/a/b__c/d--e.f:V_1.0-x",
            "[::1]:5000/a:1",
            "10.0.0.1/a:1",
            &format!("r.example/a@sha256:{digest}"),
            &format!("r.example:443/a:v1@sha256:{digest}"),
        ] {
            assert_eq!(RegistryReference::parse(text).unwrap().to_string(), text);
        }
        let parsed = RegistryReference::parse(&format!("r.example:443/a/b:v1@sha256:{digest}")).unwrap();
        assert_eq!((parsed.registry.as_str(), parsed.repository.as_str()), ("r.example:443", "a/b"));
        assert_eq!((parsed.tag.as_deref(), parsed.sha256.as_deref()), (Some("v1"), Some(digest.as_str())));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, why) in [
            ("busybox:latest", "it names no registry"),
            ("library/busybox:latest", "is no host"),
            ("r.example/a", "neither tag nor digest"),
            ("r.example/a:", "the tag must be"),
            ("r.example/a:-x", "the tag must be"),
            ("r.example/a:b:c", "the tag must be"),
            ("r.example/a:b/c", "the tag must be"),
            ("r.example/A:v1", "the name must be"),
            ("r.example/a//b:v1", "the name must be"),
            ("r.example/a___b:v1", "the name must be"),
            ("r.example/a-:v1", "the name must be"),
            ("r.example/:v1", "the name must be"),
            ("r.example:0/a:v1", "is no host"),
            ("r.example:x/a:v1", "is no host"),
            ("-r.example/a:v1", "is no host"),
            ("[1.2.3.4]/a:v1", "is no host"),
            ("r.example/a:v1@sha256:abc", "the digest must be"),
            ("r.example/a@sha512:00", "the digest must be"),
            ("https://r.example/a:v1", "is no host"),
            ("", "it names no registry"),
        ] {
            let error = RegistryReference::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
