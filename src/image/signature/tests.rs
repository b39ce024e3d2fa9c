use std::path::Path;

use super::*;

/// A new key: the private half in the file, the public one in `FILE.pub`.
fn key(directory: &Path, name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> PathBuf {
    let (file, pair) = (directory.join(name), rcgen::KeyPair::generate_for(algorithm).unwrap());
    std::fs::write(&file, pair.serialize_pem()).unwrap();
    std::fs::write(format!("{}.pub", file.display()), pair.public_key_pem()).unwrap();
    file
}

fn p256(directory: &Path, name: &str) -> PathBuf {
    key(directory, name, &rcgen::PKCS_ECDSA_P256_SHA256)
}

fn public(file: &Path) -> TrustedKeys {
    TrustedKeys::load(&[format!("{}.pub", file.display()).into()]).unwrap()
}

const NAME: &str = "r.example/a";

#[test]
fn a_signature_is_good_for_its_image_and_its_key_alone() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::create(directory.path()).unwrap();
    let (one, other) = (p256(directory.path(), "one"), p256(directory.path(), "two"));
    let (image, another) = ("a".repeat(64), "b".repeat(64));
    let signing = SigningKey::load(&one).unwrap();
    let artifact = sign(&signing, &blobs, NAME, NAME, &image, None).unwrap().unwrap();
    let signatures = read(&blobs, NAME, &artifact).unwrap();
    assert_eq!(
        check(&public(&one), NAME, &image, &signatures).unwrap(),
        PathBuf::from(format!("{}.pub", one.display()))
    );

    let error = check(&public(&other), NAME, &image, &signatures).unwrap_err();
    assert!(matches!(error, SignatureError::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("by another key") && error.to_string().contains("two.pub"), "{error}");
    let error = check(&public(&one), NAME, &another, &signatures).unwrap_err().to_string();
    assert!(error.contains("a signature of another image (sha256:aaaa"), "{error}");
    let error = check(&public(&one), NAME, &image, &[]).unwrap_err();
    assert!(matches!(error, SignatureError::Unsigned { .. }), "{error}");

    // Both together.
    let second =
        sign(&SigningKey::load(&other).unwrap(), &blobs, NAME, NAME, &image, Some(&artifact)).unwrap().unwrap();
    let signatures = read(&blobs, NAME, &second).unwrap();
    assert_eq!(signatures.len(), 2);
    for key in [&one, &other] {
        check(&public(key), NAME, &image, &signatures).unwrap();
    }
    assert_eq!(sign(&signing, &blobs, NAME, NAME, &image, Some(&second)).unwrap(), None);
}

#[test]
fn changed_payloads_and_other_texts_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = p256(directory.path(), "key");
    let (signing, keys, image) = (SigningKey::load(&file).unwrap(), public(&file), "a".repeat(64));
    let good = String::from_utf8(payload(NAME, &image)).unwrap();
    let signature = signing.sign(good.as_bytes()).unwrap();
    let changed = Signature { payload: good.replace("r.example", "s.example").into_bytes(), signature };
    let error = check(&keys, NAME, &image, &[changed]).unwrap_err().to_string();
    assert!(error.contains("or a false one"), "{error}");
    for text in [good.replace("cosign container", "other"), "{}".to_owned(), "no JSON".to_owned()] {
        let signature = signing.sign(text.as_bytes()).unwrap();
        let signed = Signature { payload: text.into_bytes(), signature };
        let error = check(&keys, NAME, &image, &[signed]).unwrap_err().to_string();
        assert!(error.contains("a signature of something else"), "{error}");
    }
}

#[test]
fn unusable_keys_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let p384 = key(directory.path(), "p384", &rcgen::PKCS_ECDSA_P384_SHA384);
    let p256 = p256(directory.path(), "p256");
    let encrypted = directory.path().join("encrypted");
    std::fs::write(&encrypted, "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n").unwrap();
    for (file, why) in [
        (p384.clone(), "no key for ECDSA on P-256"),
        (encrypted, "it is encrypted"),
        (directory.path().join("p256.pub"), "no private key in PEM form"),
        (directory.path().join("gone"), "No such file"),
    ] {
        let error = SigningKey::load(&file).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(file.to_str().unwrap()), "{error}");
    }
    for (file, why) in [
        (format!("{}.pub", p384.display()), "no key for ECDSA on P-256"),
        (p256.display().to_string(), "no public key in PEM form"),
    ] {
        let error = TrustedKeys::load(&[file.into()]).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn signatures_are_told_from_images_by_their_tag() {
    assert!(is_signature_tag(&tag(&"a".repeat(64))));
    assert!(!is_signature_tag("sha256-a.sig"));
    assert!(!is_signature_tag("v1.20.2"));
}
