//! A digest over files that a pod reads: an annotation that changes with them, so that the kubelet makes a new pod.

use sha2::{Digest, Sha256};

/// Annotation that carries the digest.
pub(super) const ANNOTATION: &str = "kubewright.dev/config-digest";

/// SHA-256, in hexadecimal, of the paths and contents of `files`.
pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut hasher = Sha256::new();
    for (path, content) in files {
        // Lengths, so that no two lists of files run together into the same bytes.
        for part in [path, content] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let base = of([("a", "bc"), ("d", "")]);
        assert_eq!(base.len(), 64);
        assert_eq!(base, of([("a", "bc"), ("d", "")]));
        for other in [of([("ab", "c"), ("d", "")]), of([("a", "bc")]), of([("a", "bd"), ("d", "")])] {
            assert_ne!(base, other);
        }
    }
}
