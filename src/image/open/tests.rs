use std::fs;
use std::io::Write;

use super::*;
use crate::image::blobs::Blobs;
use crate::image::digest;
use crate::image::oci::{self, Config, Descriptor, Index, Manifest};
use crate::image::testing::{SPEC, build_spec, sample};

fn layout(directory: &Path, tag: Option<&str>) -> Location {
    Location::Layout { directory: directory.to_owned(), tag: tag.map(str::to_owned) }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn open_at(directory: &Path) -> Result<OpenImage, ImageError> {
    open_with_cache(&layout(directory, None), Path::new("/nonexistent"))
}

/// Puts another manifest into the index of the layout at `image`, with a config of this label.
fn replace(image: &Path, label: Option<&str>, layers: &[Blob]) {
    let blobs = Blobs::create(image).unwrap();
    let label = label.map(|label| [(oci::CLUSTER_IMAGE.to_owned(), label.to_owned())].into());
    let config = Config::new("amd64", oci::Execution { labels: label, ..Default::default() }, &[]);
    let config = blobs.put(&serde_json::to_vec(&config).unwrap()).unwrap();
    let manifest = blobs.put(&serde_json::to_vec(&Manifest::new(&config, layers)).unwrap()).unwrap();
    blobs.finish_layout(&Index::new(vec![Descriptor::new(oci::MANIFEST, &manifest)])).unwrap();
}

#[test]
fn an_image_that_was_built_opens() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let reference = ImageReference(format!("oci:{}:v1", directory.path().join("image").display()));
    let image = block_on(open(&reference, &Access::default())).unwrap();
    assert_eq!(image.digest, built.digest);
    assert_eq!(image.reference(), reference.0);
    let components: Vec<_> = built.components.into_iter().map(|one| one.component).collect();
    assert_eq!(image.manifest.components, components);
    assert_eq!(image.manifest.name, "sample");
    for component in &components {
        image.verify(&component.blob).unwrap();
        assert_eq!(fs::metadata(image.blob_path(&component.blob)).unwrap().len(), component.blob.size);
    }
}

#[test]
fn a_tag_chooses_among_several_images() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    sample(directory.path());
    let second = build_spec(&SPEC.replace("v1.20.2", "v1.20.3"), &cache, &image, "v2").unwrap();
    let opened = open_with_cache(&layout(&image, Some("v2")), Path::new("")).unwrap();
    assert_eq!(opened.digest, second.digest);
    let error = open_at(&image).unwrap_err().to_string();
    assert!(error.contains("holds 2 images") && error.contains("v1, v2"), "{error}");
    let error = open_with_cache(&layout(&image, Some("v3")), Path::new("")).unwrap_err().to_string();
    assert!(error.contains("no image tagged \"v3\"") && error.contains("v1, v2"), "{error}");
}

#[test]
fn what_is_no_cluster_image_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let image = directory.path().join("image");
    let blob = built.components[0].component.blob.clone();
    let json = |name: &str, sha256: &str, size: u64| {
        format!(
            r#"{{"name":"a","kubernetes":"v1.20.2","components":[{{"name":"{name}","version":"1.0.0",
            "roles":["etcd"],"kind":"files","blob":{{"sha256":"{sha256}","size":{size}}}}}]}}"#
        )
    };
    for (label, why) in [
        (None, "its config has no label dev.kubewright.cluster-image.v1"),
        (Some("{}".to_owned()), "its list of components cannot be understood"),
        (Some(json("a", &blob.sha256, blob.size + 1)), "its layers are not those of its components"),
        (Some(json("../../etc", &blob.sha256, blob.size)), "cannot be a path"),
    ] {
        replace(&image, label.as_deref(), std::slice::from_ref(&blob));
        let error = open_at(&image).unwrap_err();
        assert!(matches!(error, ImageError::NotClusterImage { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    replace(&image, Some(&json("a", &blob.sha256, blob.size)), std::slice::from_ref(&blob));
    open_at(&image).unwrap();

    for (path, why) in [
        (directory.path().join("gone"), "does not exist"),
        (directory.path().join("cache"), "it has no index.json"),
        (directory.path().join("cache/readme"), "is not an OCI image layout"),
    ] {
        let error = open_at(&path).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    fs::write(image.join("index.json"), "{").unwrap();
    let error = open_at(&image).unwrap_err().to_string();
    assert!(error.contains("index.json is not the index of an OCI image layout"), "{error}");
}

#[test]
fn damage_is_found_and_names_component_digest_and_file() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let image = directory.path().join("image");
    let blob = built.components.iter().find(|one| one.component.name == "tools").unwrap().component.blob.clone();
    let opened = open_at(&image).unwrap();
    let file = opened.blob_path(&blob);
    let whole = fs::read(&file).unwrap();

    // Same size, other content: only `verify` sees that.
    let mut damaged = whole.clone();
    damaged[10] ^= 1;
    fs::write(&file, &damaged).unwrap();
    open_at(&image).unwrap();
    let error = opened.verify(&blob).unwrap_err();
    assert!(matches!(error, ImageError::BlobCorrupt { .. }), "{error}");
    let text = error.to_string();
    for part in ["component tools", &blob.sha256, &file.display().to_string(), &digest::of_bytes(&damaged)] {
        assert!(text.contains(part), "{part}: {text}");
    }

    fs::write(&file, &whole[1..]).unwrap();
    for error in [open_at(&image).unwrap_err(), opened.verify(&blob).unwrap_err()] {
        assert!(matches!(error, ImageError::BlobSize { .. }), "{error}");
    }
    fs::remove_file(&file).unwrap();
    for error in [open_at(&image).unwrap_err(), opened.verify(&blob).unwrap_err()] {
        assert!(matches!(error, ImageError::BlobMissing { .. }), "{error}");
        assert!(error.to_string().contains("component tools is missing"), "{error}");
    }
}

#[test]
fn a_changed_manifest_or_config_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let image = directory.path().join("image");
    let blobs = Blobs::at(&image);
    let path = blobs.path(built.digest.strip_prefix("sha256:").unwrap());
    let manifest = fs::read_to_string(&path).unwrap();
    let parsed: Manifest = serde_json::from_str(&manifest).unwrap();
    let config = blobs.path(&parsed.config.blob().unwrap().sha256);
    for (path, what) in [(path, "the manifest"), (config, "the config")] {
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, good.replacen('a', "b", 1)).unwrap();
        let error = open_at(&image).unwrap_err();
        assert!(matches!(error, ImageError::BlobCorrupt { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        fs::write(&path, good).unwrap();
    }
    open_at(&image).unwrap();
}

/// A tar of the layout at `image`, with the names that `tar -C DIR -cf FILE .` gives; the index is first.
fn archive_of(image: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_path_with_name(image.join("index.json"), "./index.json").unwrap();
    builder.append_path_with_name(image.join("oci-layout"), "./oci-layout").unwrap();
    builder.append_dir_all("./blobs", image.join("blobs")).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn an_archive_is_unpacked_once_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let built = sample(directory.path());
    let (file, cache) = (directory.path().join("image.tar"), directory.path().join("other-cache"));
    fs::write(&file, archive_of(&directory.path().join("image"))).unwrap();
    let location = Location::Archive { file: file.clone() };
    let image = open_with_cache(&location, &cache).unwrap();
    assert_eq!(image.digest, built.digest);
    assert_eq!(image.reference(), format!("oci-archive:{}", file.display()));
    let blob = &built.components[0].component.blob;
    image.verify(blob).unwrap();

    // The second time, nothing is written again; what is lost comes back.
    let modified = fs::metadata(image.blob_path(blob)).unwrap().modified().unwrap();
    fs::remove_file(image.blob_path(&built.components[1].component.blob)).unwrap();
    let again = open_with_cache(&location, &cache).unwrap();
    assert_eq!(fs::metadata(again.blob_path(blob)).unwrap().modified().unwrap(), modified);
    again.verify(&built.components[1].component.blob).unwrap();
}

#[test]
fn a_damaged_archive_leaves_no_blob_behind() {
    let directory = tempfile::tempdir().unwrap();
    sample(directory.path());
    let (file, cache) = (directory.path().join("image.tar"), directory.path().join("other-cache"));
    let whole = archive_of(&directory.path().join("image"));
    let mut flipped = whole.clone();
    // In the middle of a layer, which is compressed: found by its first bytes.
    let position = whole.windows(4).position(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]).unwrap() + 20;
    flipped[position] ^= 1;
    for (bytes, why) in [
        (&flipped[..], "its content has digest"),
        (&whole[..position], "it is cut short; copy the archive again"),
        (
            b"this is no tar, but it is long enough to be looked at as if it were one",
            "cannot be read as tar: it is no tar file",
        ),
        (&[0; 1024][..], "it has no index.json"),
    ] {
        fs::File::create(&file).unwrap().write_all(bytes).unwrap();
        let error = open_with_cache(&Location::Archive { file: file.clone() }, &cache).unwrap_err();
        assert!(matches!(error, ImageError::NotLayout { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = open_with_cache(&Location::Archive { file: directory.path().join("gone") }, &cache).unwrap_err();
    assert!(matches!(error, ImageError::NotFound { .. }), "{error}");
    // What is in the cache has the digest that its name says.
    for layout in fs::read_dir(cache.join("archives")).unwrap() {
        for blob in fs::read_dir(layout.unwrap().path().join("blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            assert_eq!(digest::of_file(&path).unwrap().sha256, path.file_name().unwrap().to_str().unwrap());
        }
    }
}

/// What was unpacked before says nothing about the archive, and a good archive mends it.
#[test]
fn verifying_reads_the_archive_and_not_what_was_unpacked_before() {
    let directory = tempfile::tempdir().unwrap();
    sample(directory.path());
    let (file, cache) = (directory.path().join("image.tar"), directory.path().join("other-cache"));
    let whole = archive_of(&directory.path().join("image"));
    let location = Location::Archive { file: file.clone() };
    let access = Access { cache: Some(cache.clone()), ..Access::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let verify = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let errors = runtime.block_on(crate::image::verify(&location, &access)).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(verify(&whole), "");
    let position = whole.windows(4).position(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]).unwrap() + 20;
    let mut flipped = whole.clone();
    flipped[position] ^= 1;
    assert!(verify(&flipped).contains("its content has digest"));
    assert!(verify(&whole[..position]).contains("the archive ends in the middle of it"));
    for layout in fs::read_dir(cache.join("archives")).unwrap() {
        for blob in fs::read_dir(layout.unwrap().path().join("blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            bytes[0] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    assert_eq!(verify(&whole), "");
}

#[test]
fn no_word_of_a_file_that_is_no_archive_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pem");
    fs::write(&file, format!("-----BEGIN PRIVATE KEY-----\n{}", "c2VjcmV0\n".repeat(100))).unwrap();
    for location in [Location::Archive { file: file.clone() }, Location::DockerArchive { file: file.clone() }] {
        let told = open_with_cache(&location, directory.path()).unwrap_err().to_string();
        assert!(told.contains("it is no tar file") && !told.contains("PRIVATE") && !told.contains("c2Vj"), "{told}");
    }
}

#[test]
fn an_image_for_a_newer_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("image"));
    let built = sample(directory.path());
    for (minimum, good) in [("v0.0.1", true), (env!("CARGO_PKG_VERSION"), true), ("v999.0.0", false)] {
        let spec = SPEC.replace("name: sample\n", &format!("name: sample\nminimumKubewright: {minimum}\n"));
        build_spec(&spec, &cache, &image, "v1").unwrap();
        let result = open_at(&image);
        assert_eq!(result.is_ok(), good, "{minimum}");
        if let Err(error) = result {
            let text = error.to_string();
            assert!(text.contains("needs kubewright v999.0.0 or newer, and this is v"), "{text}");
        }
    }
    // Also where nothing else of it is understood.
    let blob = &built.components[0].component.blob;
    replace(&image, Some(r#"{"minimum_kubewright":"v999.0.0","shape":"new"}"#), std::slice::from_ref(blob));
    assert!(matches!(open_at(&image), Err(ImageError::TooOld { .. })));
}
