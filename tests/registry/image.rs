//! Cluster images, written by hand: of any architecture, and with layers of any size.

use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::Digest as _;

/// A layer as it is in an image.
pub(crate) struct Layer {
    pub(crate) sha256: String,
    pub(crate) size: usize,
    diff_id: String,
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn put(directory: &Path, bytes: &[u8]) -> (String, usize) {
    let digest = sha256(bytes);
    fs::write(directory.join("blobs/sha256").join(&digest), bytes).unwrap();
    (digest, bytes.len())
}

fn layer(directory: &Path, name: &str, content: &[u8]) -> Layer {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, format!("opt/kubewright/{name}/1.0.0/bin/{name}"), content).unwrap();
    let tar = tar.into_inner().unwrap();
    let (sha256, size) = put(directory, &zstd::encode_all(&tar[..], 3).unwrap());
    Layer { sha256, size, diff_id: self::sha256(&tar) }
}

/// Adds an image called `tag` to the layout in `directory`, with one component for each of `components` (in order of
/// name), for each of `architectures`. Returns its digest and its layers.
pub(crate) fn write(
    directory: &Path,
    tag: &str,
    architectures: &[&str],
    components: &[(&str, &[u8])],
) -> (String, Vec<Layer>) {
    fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let layers: Vec<_> = components.iter().map(|(name, content)| layer(directory, name, content)).collect();
    let manifests: Vec<_> = architectures.iter().map(|arch| manifest(directory, arch, components, &layers)).collect();
    let mut top = match &manifests[..] {
        [only] => only.clone(),
        _ => {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
            let (digest, size) = put(directory, index.as_bytes());
            json!({"mediaType": INDEX, "digest": format!("sha256:{digest}"), "size": size})
        }
    };
    let digest = top["digest"].as_str().unwrap().to_owned();
    top["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    let path = directory.join("index.json");
    let mut index = fs::read(&path)
        .map_or_else(|_| json!({"schemaVersion": 2, "manifests": []}), |bytes| serde_json::from_slice(&bytes).unwrap());
    index["manifests"].as_array_mut().unwrap().push(top);
    fs::write(path, index.to_string()).unwrap();
    (digest, layers)
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

fn manifest(directory: &Path, architecture: &str, components: &[(&str, &[u8])], layers: &[Layer]) -> serde_json::Value {
    let listed = components.iter().zip(layers).map(|((name, _), layer)| {
        json!({
            "name": name, "version": "1.0.0", "roles": ["control-plane", "etcd", "worker"], "kind": "files",
            "blob": {"sha256": layer.sha256, "size": layer.size},
        })
    });
    let label = json!({
        "name": "sample", "kubernetes": "v1.20.2", "architecture": architecture,
        "components": listed.collect::<Vec<_>>(),
    });
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", layer.diff_id)).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "config": {"Labels": {"dev.kubewright.cluster-image.v1": label.to_string()}},
    });
    let descriptor = |media_type: &str, (sha256, size): (String, usize)| json!({"mediaType": media_type, "digest": format!("sha256:{sha256}"), "size": size});
    let config = descriptor(CONFIG, put(directory, config.to_string().as_bytes()));
    let layers: Vec<_> = layers.iter().map(|layer| descriptor(LAYER, (layer.sha256.clone(), layer.size))).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let mut descriptor = descriptor(MANIFEST, put(directory, manifest.to_string().as_bytes()));
    descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
    descriptor
}

/// The architecture of this machine, and one that it is not.
pub(crate) fn own_and_other() -> (&'static str, &'static str) {
    if cfg!(target_arch = "aarch64") { ("arm64", "amd64") } else { ("amd64", "arm64") }
}
