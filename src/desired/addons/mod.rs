//! The objects of add-ons: texts to objects, with what is known of the cluster filled in. All that can be judged without
//! a server is judged here, and all that is wrong is told at once.

mod images;
mod owners;
mod place;
mod template;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use minijinja::value::Value;

use super::{Context, Error, dns_autoscaler, node_local_dns};
use crate::cluster::{Addon, AddonSource, AddonText, Cluster, addons as cluster_addons};
use crate::image::{ClusterImage, ManifestFile, TextObject, container_images, says_nothing, text_objects};
use crate::pki::Keys;

pub use images::not_in_the_image;
use owners::Owners;
pub use place::AddonPlace;

/// A file that was cut off would take away what it had.
const NOTHING: &str = "no manifests are there: it is empty, or has only comments; write them into it, or, to take them away, \
                       remove the file, or the add-on from the inventory";

/// The objects of an add-on.
#[derive(Debug, Clone, PartialEq)]
pub struct AddonObjects {
    /// Name of the add-on.
    pub name: String,
    /// Where objects without a namespace go.
    pub namespace: String,
    /// Add-ons that run before it is applied.
    pub after: BTreeSet<String>,
    /// The objects.
    pub objects: Vec<serde_json::Value>,
}

/// The add-ons in groups, each of which comes when those before it run: our own first.
pub fn addons(context: &Context<'_>) -> Result<Vec<Vec<AddonObjects>>, Error> {
    let (mut groups, mut errors) = (Vec::new(), Vec::new());
    let mut own = Vec::new();
    for addon in [node_local_dns::addon, dns_autoscaler::addon] {
        match addon(context) {
            Ok(addon) => own.extend(addon),
            Err(error) => errors.push(error),
        }
    }
    let mut owners = Owners::of(context, &own);
    if !own.is_empty() {
        groups.push(own);
    }
    let Context { cluster, image, manifests, .. } = *context;
    let (others, wrong) = Given { cluster, image: Some(image), manifests }.groups(&mut owners);
    groups.extend(others);
    errors.extend(wrong);
    Error::collect(errors)?;
    Ok(groups)
}

/// The same without a cluster and, where it is not at hand, without the cluster image: what that has is not known then,
/// and what our own objects are called neither.
pub fn judge_addons(
    cluster: &Cluster,
    image: Option<&ClusterImage>,
    manifests: &BTreeMap<String, Vec<ManifestFile>>,
) -> Result<Vec<Vec<AddonObjects>>, Error> {
    let Some(image) = image else {
        let (groups, errors) = Given { cluster, image: None, manifests }.groups(&mut Owners::default());
        return Error::collect(errors).map(|()| groups);
    };
    let (keys, facts, pod_cidrs, files) = (&Keys::default(), &BTreeMap::new(), &BTreeMap::new(), &BTreeMap::new());
    addons(&Context { cluster, image, keys, facts, pod_cidrs, files, manifests })
}

/// What the add-ons of the inventory are made from.
struct Given<'a> {
    cluster: &'a Cluster,
    image: Option<&'a ClusterImage>,
    manifests: &'a BTreeMap<String, Vec<ManifestFile>>,
}

/// An object, and where it was written.
struct Placed {
    value: serde_json::Value,
    place: AddonPlace,
}

impl Given<'_> {
    fn groups(&self, owners: &mut Owners) -> (Vec<Vec<AddonObjects>>, Vec<Error>) {
        let (mut groups, mut errors) = (Vec::new(), Vec::new());
        let values = values::of(self.cluster, self.image);
        for group in cluster_addons::in_order(&self.cluster.addons) {
            let mut rendered = Vec::new();
            for addon in group.into_iter().filter(|addon| self.is_known(addon)) {
                let (placed, wrong) = self.objects(addon, &values);
                errors.extend(wrong);
                errors.extend(placed.iter().filter_map(|object| owners.take(addon, object)));
                let Addon { name, namespace, after, .. } = addon.clone();
                let objects = placed.into_iter().map(|object| object.value).collect();
                rendered.push(AddonObjects { name, namespace, after, objects });
            }
            groups.push(rendered);
        }
        (groups, errors)
    }

    /// One whose texts are not at hand is passed over: who could not read them says so.
    fn is_known(&self, addon: &Addon) -> bool {
        self.manifests.contains_key(&addon.name)
    }

    /// The objects of an add-on, and all that is wrong with it.
    fn objects(&self, addon: &Addon, values: &Value) -> (Vec<Placed>, Vec<Error>) {
        let failed = |place: AddonPlace, message| Error::Addon { addon: addon.name.clone(), place, message };
        let files = self.manifests.get(&addon.name).map(Vec::as_slice).unwrap_or_default();
        if files.is_empty() {
            return (Vec::new(), vec![failed(AddonPlace::file(self.source(addon)), self.nothing_there(addon))]);
        }
        let (mut objects, mut errors) = (Vec::new(), Vec::new());
        for file in files {
            if says_nothing(&file.text) {
                errors.push(failed(AddonPlace::file(&file.path), NOTHING.to_owned()));
                continue;
            }
            match read(addon, file, values) {
                Ok(found) => objects.extend(found),
                Err(wrong) => errors.extend(wrong.into_iter().map(|(place, message)| failed(place, message))),
            }
        }
        if objects.is_empty() && errors.is_empty() {
            let message = "no objects come out of it; to take the add-on away, take it out of the inventory".to_owned();
            errors.push(failed(AddonPlace::file(self.source(addon)), message));
        }
        if let (AddonSource::Image, Some(image)) = (&addon.source, self.image) {
            for Placed { value, place } in &objects {
                let lacking = container_images(std::slice::from_ref(value))
                    .into_iter()
                    .filter(|wanted| !image.references().any(|reference| reference == wanted));
                errors.extend(lacking.map(|wanted| {
                    let message = format!(
                        "it runs {wanted}, which the cluster image {} does not have; add it to the spec of the image",
                        image.name
                    );
                    failed(place.clone(), message)
                }));
            }
        }
        (objects, errors)
    }

    fn source(&self, addon: &Addon) -> PathBuf {
        match &addon.source {
            AddonSource::Path(path) => path.clone(),
            AddonSource::Image => addon.name.clone().into(),
        }
    }

    fn nothing_there(&self, addon: &Addon) -> String {
        match (&addon.source, self.image) {
            (AddonSource::Image, Some(image)) => {
                format!("the cluster image {} has no such manifests; name one with them, or a `path`", image.name)
            }
            _ => "no manifests are there; put them there as .yaml, .yml or .json, or correct `path`".to_owned(),
        }
    }
}

/// The objects of a file, or all that is wrong with it.
fn read(addon: &Addon, file: &ManifestFile, values: &Value) -> Result<Vec<Placed>, Vec<(AddonPlace, String)>> {
    let ManifestFile { path, text } = file;
    let (text, place): (_, fn(_, _) -> _) = match addon.text {
        AddonText::Plain => (text.clone(), AddonPlace::line),
        AddonText::Template => {
            let filled = template::fill(path, text, values).map_err(|fault| {
                let place = match fault.line {
                    Some(line) => AddonPlace::line(path, line),
                    None => AddonPlace::file(path),
                };
                vec![(place, fault.message)]
            })?;
            (filled, AddonPlace::filled_line)
        }
    };
    let hint = match (addon.text, text.lines().position(template::looks_like_one)) {
        (AddonText::Plain, Some(index)) => {
            format!("; line {} looks like a template: if it is one, set `template: true`", index + 1)
        }
        _ => String::new(),
    };
    let placed = |TextObject { value, line }| Placed { value, place: place(path, line) };
    match text_objects(&text) {
        Ok(objects) => Ok(objects.into_iter().map(placed).collect()),
        Err(faults) => {
            Err(faults.into_iter().map(|fault| (place(path, fault.line), format!("{}{hint}", fault.message))).collect())
        }
    }
}
