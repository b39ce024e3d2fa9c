//! Manifests and indexes as registries serve them, in OCI's and docker's dialect, told apart by what is in them.

use super::Architecture;
use super::oci::{Descriptor, Index, Manifest};

/// Largest document that is read: bytes. That of a cluster image has a few thousand.
pub(super) const LIMIT: u64 = 4 << 20;

/// A document that a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    /// One image.
    Manifest(Manifest),
    /// Variants of an image.
    Index(Index),
}

/// Understands a document; the error completes "… cannot be used: ".
pub(super) fn parse(bytes: &[u8]) -> Result<Document, String> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("its manifest is no JSON: {error}"))?;
    let broken = |error: serde_json::Error| format!("its manifest cannot be understood: {error}");
    if value.get("manifests").is_some() {
        return serde_json::from_value(value).map(Document::Index).map_err(broken);
    }
    if value.get("config").is_some() {
        return serde_json::from_value(value).map(Document::Manifest).map_err(broken);
    }
    let kind = value.get("mediaType").and_then(serde_json::Value::as_str).unwrap_or("of an unknown type");
    Err(format!("it is neither an image nor an index of images, but {kind}"))
}

/// The manifest for `architecture` on Linux; the error says what there is instead.
pub(super) fn variant(index: &Index, architecture: Architecture) -> Result<&Descriptor, String> {
    let platforms = || index.manifests.iter().filter_map(|one| one.platform.as_ref().map(|platform| (one, platform)));
    let found =
        platforms().find(|(_, platform)| platform.os == "linux" && platform.architecture == architecture.as_str());
    found.map(|(one, _)| one).ok_or_else(|| {
        // Attestations and the like have the platform "unknown".
        let known = platforms().filter(|(_, platform)| platform.os != "unknown");
        let names: Vec<_> = known.map(|(_, platform)| format!("{}/{}", platform.os, platform.architecture)).collect();
        let available = if names.is_empty() { "no platform".to_owned() } else { names.join(", ") };
        format!("it has no variant for linux/{architecture}, only for {available}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[
        {"mediaType":"m","digest":"sha256:1","size":1,"platform":{"architecture":"amd64","os":"windows","os.version":"10"}},
        {"mediaType":"m","digest":"sha256:2","size":1,"platform":{"architecture":"arm64","os":"linux","variant":"v8"}},
        {"mediaType":"m","digest":"sha256:3","size":1,"platform":{"architecture":"unknown","os":"unknown"}},
        {"mediaType":"m","digest":"sha256:4","size":1}]}"#;

    #[test]
    fn a_variant_is_chosen_by_system_and_processor() {
        let Ok(Document::Index(index)) = parse(INDEX.as_bytes()) else { panic!("no index") };
        assert_eq!(variant(&index, Architecture::Arm64).unwrap().digest, "sha256:2");
        let error = variant(&index, Architecture::Amd64).unwrap_err();
        assert_eq!(error, "it has no variant for linux/amd64, only for windows/amd64, linux/arm64");
    }

    #[test]
    fn what_is_no_image_is_told() {
        let manifest = r#"{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:1","size":1},"layers":[]}"#;
        assert!(matches!(parse(manifest.as_bytes()), Ok(Document::Manifest(_))));
        for (text, why) in [
            ("<html>", "no JSON"),
            (
                r#"{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+json"}"#,
                "manifest.v1+json",
            ),
            (r#"{"manifests":3}"#, "cannot be understood"),
            ("[]", "of an unknown type"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
