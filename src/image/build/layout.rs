//! Writes the image: layers, config and manifest of each architecture, an index over several, and last what names them.

use std::collections::BTreeMap;

use super::component::Packed;
use super::error::BuildError;
use super::{BuildOptions, program};
use crate::cluster::{KubeVersion, Role};
use crate::image::blobs::Blobs;
use crate::image::layout::Layout;
use crate::image::oci::{self, Config, Descriptor, Execution, Index, Manifest, Platform};
use crate::image::spec::PinnedSpec;
use crate::image::{Architecture, Blob, ClusterImage, Component};

/// The packed components for one architecture, in order of name.
pub(super) struct PackedVariant {
    pub(super) architecture: Architecture,
    pub(super) components: Vec<Packed>,
}

/// Puts the image into the output, and returns its digest: of the manifest where it is for one architecture, of the index
/// otherwise. The layers are in `from`. Becomes visible last, and at once.
pub(super) fn write(
    spec: &PinnedSpec,
    variants: &[PackedVariant],
    from: &Blobs,
    options: &BuildOptions,
) -> Result<String, BuildError> {
    let output = &options.output;
    let failed = |doing| BuildError::io(doing, output);
    let blobs = Blobs::create(output).map_err(failed("create"))?;
    let _held = blobs.lock().map_err(failed("lock"))?;
    for packed in variants.iter().flat_map(|variant| &variant.components) {
        blobs.take(from, &packed.layer.blob).map_err(failed("copy a layer to"))?;
    }
    let manifests = variants.iter().map(|variant| manifest(spec, variant, &blobs));
    let manifests: Vec<_> = manifests.collect::<std::io::Result<_>>().map_err(failed("write to"))?;
    let top = match <[Descriptor; 1]>::try_from(manifests) {
        Ok([only]) => only,
        Err(several) => {
            let mut index = Index::new(several);
            index.annotations = annotations(&spec.name, spec.kubernetes);
            let json = serde_json::to_vec(&index).map_err(|error| failed("describe the image in")(error.into()))?;
            Descriptor::new(oci::INDEX, &blobs.put(&json).map_err(failed("write to"))?)
        }
    };
    let digest = top.digest.clone();
    Layout::at(output).set(&options.tag, top).map_err(|error| BuildError::Existing(Box::new(error)))?;
    Ok(digest)
}

fn manifest(spec: &PinnedSpec, variant: &PackedVariant, blobs: &Blobs) -> std::io::Result<Descriptor> {
    let architecture = variant.architecture;
    let image = ClusterImage {
        name: spec.name.clone(),
        kubernetes: spec.kubernetes,
        upgrades_from: spec.upgrades_from,
        minimum_kubewright: spec.minimum_kubewright,
        architecture,
        components: variant.components.iter().map(|packed| packed.component.clone()).collect(),
    };
    let label = (oci::CLUSTER_IMAGE.to_owned(), serde_json::to_string(&image)?);
    let execution = if spec.program { program::execution() } else { Execution::default() };
    let execution = Execution { labels: Some([label].into()), ..execution };
    let diff_ids: Vec<_> = variant.components.iter().map(|packed| packed.layer.diff_id.clone()).collect();
    let config = blobs.put(&serde_json::to_vec(&Config::new(architecture.as_str(), execution, &diff_ids))?)?;
    let manifest = manifest_of(&image, &config);
    let mut descriptor = Descriptor::new(oci::MANIFEST, &blobs.put(&serde_json::to_vec(&manifest)?)?);
    descriptor.platform = Some(Platform::linux(architecture));
    Ok(descriptor)
}

/// The manifest of `image`, whose config is `config`: it follows from the two.
pub(in crate::image) fn manifest_of(image: &ClusterImage, config: &Blob) -> Manifest {
    let layers: Vec<_> = image.components.iter().map(|component| component.blob.clone()).collect();
    let mut manifest = Manifest::new(config, &layers);
    manifest.annotations = annotations(&image.name, image.kubernetes);
    for (layer, component) in manifest.layers.iter_mut().zip(&image.components) {
        layer.annotations = layer_annotations(component, image.architecture);
    }
    manifest
}

fn annotations(name: &str, kubernetes: KubeVersion) -> BTreeMap<String, String> {
    let description = format!("kubewright cluster image: everything a Kubernetes {kubernetes} cluster is made of");
    let pairs =
        [(oci::TITLE, name.to_owned()), (oci::VERSION, kubernetes.to_string()), (oci::DESCRIPTION, description)];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}

fn layer_annotations(component: &Component, architecture: Architecture) -> BTreeMap<String, String> {
    let roles: Vec<_> = component.roles.iter().map(Role::as_str).collect();
    let pairs = [
        (oci::COMPONENT, component.name.clone()),
        (oci::COMPONENT_VERSION, component.version.clone()),
        (oci::COMPONENT_ROLES, roles.join(",")),
        (oci::COMPONENT_ARCHITECTURE, architecture.to_string()),
    ];
    // The program has no roles.
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.to_owned(), value)).collect()
}
