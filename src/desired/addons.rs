//! The objects of add-ons: texts to documents, with what is known of the cluster filled in.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;

use super::render::render_text;
use super::{Context, Error, dns_autoscaler, endpoint, node_local_dns};
use crate::cluster::{Addon, AddonSource, AddonText, Host, addons as cluster_addons};
use crate::image::{ManifestFile, container_images, name_and_tag};

/// The objects of an add-on.
#[derive(Debug, Clone, PartialEq)]
pub struct AddonObjects {
    /// Name of the add-on.
    pub name: String,
    /// Where objects without a namespace go.
    pub namespace: String,
    /// The objects.
    pub objects: Vec<serde_json::Value>,
}

/// The add-ons in groups, each of which comes when those before it run: our own first.
pub fn addons(context: &Context<'_>) -> Result<Vec<Vec<AddonObjects>>, Error> {
    let (mut groups, mut errors) = (Vec::new(), Vec::new());
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    let mut own = Vec::new();
    for addon in [node_local_dns::addon, dns_autoscaler::addon] {
        match addon(context) {
            Ok(addon) => own.extend(addon),
            Err(error) => errors.push(error),
        }
    }
    if !own.is_empty() {
        groups.push(own);
    }
    for group in cluster_addons::in_order(&context.cluster.addons) {
        let mut rendered = Vec::new();
        for addon in group {
            match objects(context, addon) {
                Ok(objects) => {
                    errors.extend(objects.iter().filter_map(|object| taken(&mut owners, addon, object)));
                    let (name, namespace) = (addon.name.clone(), addon.namespace.clone());
                    rendered.push(AddonObjects { name, namespace, objects });
                }
                Err(error) => errors.push(error),
            }
        }
        groups.push(rendered);
    }
    Error::collect(errors)?;
    Ok(groups)
}

fn objects(context: &Context<'_>, addon: &Addon) -> Result<Vec<serde_json::Value>, Error> {
    let failed = |path: &std::path::Path, message: String| Error::Addon {
        addon: addon.name.clone(),
        path: path.to_owned(),
        message,
    };
    let files: &[ManifestFile] = context.manifests.get(&addon.name).map(Vec::as_slice).unwrap_or_default();
    if files.is_empty() {
        let (place, message) = match &addon.source {
            AddonSource::Path(path) => (path.clone(), "no manifests are there".to_owned()),
            AddonSource::Image => {
                (addon.name.clone().into(), format!("the cluster image {} has no such manifests", context.image.name))
            }
        };
        return Err(failed(&place, message));
    }
    let mut objects = Vec::new();
    for ManifestFile { path, text } in files {
        let text = match addon.text {
            AddonText::Plain => text.clone(),
            AddonText::Template => {
                let name = path.display().to_string();
                render_text(&name, text, values(context)).map_err(|error| {
                    let detail = error.detail().unwrap_or_default();
                    failed(path, format!("line {}: {}: {detail}", error.line().unwrap_or(0), error.kind()))
                })?
            }
        };
        objects.extend(documents(&text).map_err(|message| failed(path, message))?);
    }
    if let AddonSource::Image = addon.source {
        for image in container_images(&objects) {
            if !context.image.references().any(|reference| reference == image) {
                let message = format!("it runs {image}, which the cluster image {} does not have", context.image.name);
                return Err(failed(std::path::Path::new(&addon.name), message));
            }
        }
    }
    Ok(objects)
}

/// The documents of a text; lists are taken apart, empty documents passed over.
pub(super) fn documents(text: &str) -> Result<Vec<serde_json::Value>, String> {
    let mut objects = Vec::new();
    let documents: Vec<serde_json::Value> = serde_yaml::from_multiple(text).map_err(|error| error.to_string())?;
    for value in documents {
        match (&value, value["kind"].as_str(), value["items"].as_array()) {
            (serde_json::Value::Null, ..) => {}
            (_, Some(kind), Some(items)) if kind.ends_with("List") => objects.extend(items.iter().cloned()),
            (serde_json::Value::Object(_), Some(_), _) => objects.push(value),
            _ => return Err("a document is no object of Kubernetes: it has no kind".to_owned()),
        }
    }
    Ok(objects)
}

/// An object that another add-on has, too: they would take it from each other in every run.
fn taken<'a>(owners: &mut BTreeMap<String, &'a str>, addon: &'a Addon, object: &serde_json::Value) -> Option<Error> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let (metadata, version) = (&object["metadata"], text(&object["apiVersion"]));
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    let namespace = metadata["namespace"].as_str().unwrap_or(&addon.namespace);
    let id = format!("{} {group} {namespace}/{}", text(&object["kind"]), text(&metadata["name"]));
    let first = *owners.entry(id).or_insert(&addon.name);
    let object = format!("{} {}", text(&object["kind"]), text(&metadata["name"]));
    (first != addon.name).then(|| Error::AddonObject { first: first.to_owned(), second: addon.name.clone(), object })
}

/// What templates may name.
fn values(context: &Context<'_>) -> Value {
    let cluster = context.cluster;
    let network = &cluster.network;
    let node = |host: &Host| {
        let labels: BTreeMap<String, String> =
            host.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        context! {
            name => host.name.as_str(),
            address => host.address.to_string(),
            idc => host.idc.clone().unwrap_or_default(),
            rack => host.rack.clone().unwrap_or_default(),
            roles => host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            labels,
        }
    };
    let images: BTreeMap<String, String> = context
        .image
        .references()
        .map(|reference| {
            let (name, _) = name_and_tag(reference);
            (name.rsplit('/').next().unwrap_or(name).replace('-', "_"), reference.to_owned())
        })
        .collect();
    context! {
        cluster => context! {
            name => cluster.name.to_string(),
            kubernetes => context.version().to_string(),
            domain => network.domain.clone(),
            pod_cidr => network.pod_cidr.to_string(),
            service_cidr => network.service_cidr.to_string(),
            dns => network.dns_service_address().map(|address| address.to_string()).unwrap_or_default(),
            api => endpoint::url_in_pods(cluster),
        },
        nodes => cluster.hosts.iter().filter(|host| host.roles.is_node()).map(node).collect::<Vec<_>>(),
        images,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::{self, Fixture};

    fn addon(name: &str, text: AddonText) -> Addon {
        let source = AddonSource::Path(format!("/inv/{name}.yaml").into());
        Addon { name: name.into(), source, text, namespace: "demo".into(), after: Default::default() }
    }

    fn rendered(files: &[(&str, AddonText, &str)]) -> Result<Vec<Vec<AddonObjects>>, String> {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.addons = files.iter().map(|(name, text, _)| addon(name, *text)).collect());
        for (name, _, text) in files {
            let file = ManifestFile { path: format!("/inv/{name}.yaml").into(), text: (*text).to_owned() };
            fixture.manifests.entry((*name).to_owned()).or_default().push(file);
        }
        addons(&fixture.context()).map_err(|error| error.to_string())
    }

    #[test]
    fn documents_are_taken_apart_and_templates_know_the_cluster() {
        let text = "---\n# nothing\n---\napiVersion: v1\nkind: ConfigMapList\nitems:\n  - {apiVersion: v1, kind: ConfigMap, \
                    metadata: {name: a}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  dns: {{ \
                    cluster.dns }}\n  proxy: {{ images.kube_proxy }}\n  nodes: \"{% for node in nodes if node.rack == \
                    'r1' %}{{ node.name }}={{ node.address }} {% endfor %}\"\n";
        let groups = rendered(&[("a", AddonText::Template, text)]).unwrap();
        let objects = &groups[0][0].objects;
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0]["metadata"]["name"], "a");
        let data = &objects[1]["data"];
        assert_eq!(data["dns"], "10.96.0.10");
        assert!(data["proxy"].as_str().unwrap().contains("/kube-proxy:v1.36"), "{data}");
        assert!(data["nodes"].as_str().unwrap().starts_with("m1=10.1.0.11 "), "{data}");
    }

    #[test]
    fn what_is_wrong_names_the_addon_the_file_and_the_line() {
        for (text, expected) in [
            ("a: {{ cluster.nmae }}\n", "add-on x, /inv/x.yaml: line 1: undefined value"),
            ("kind: [\n", "add-on x, /inv/x.yaml: "),
            ("- a\n", "add-on x, /inv/x.yaml: a document is no object of Kubernetes: it has no kind"),
        ] {
            let error = rendered(&[("x", AddonText::Template, text)]).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    /// Those in `inventories/addons`, as they come out for Kubernetes 1.36.
    #[test]
    fn the_examples_are_objects() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("inventories/addons");
        let mut fixture = Fixture::new(36);
        for (name, image) in [
            ("metrics-server", "registry.k8s.io/metrics-server/metrics-server"),
            ("node-problem-detector", "registry.k8s.io/node-problem-detector/node-problem-detector"),
            ("ingress-nginx", "registry.k8s.io/ingress-nginx/controller"),
        ] {
            fixture.add_images(name, "1.0.0", &[image]);
        }
        let names = ["ingress-nginx", "limits", "metrics-server", "node-problem-detector", "prometheus-rules"];
        fixture.change(|parts| parts.addons = names.map(|name| addon(name, AddonText::Template)).into());
        for name in names {
            let text = std::fs::read_to_string(directory.join(format!("{name}.yaml"))).unwrap();
            let file = ManifestFile { path: format!("/inv/{name}.yaml").into(), text };
            fixture.manifests.insert(name.to_owned(), vec![file]);
        }
        let groups = addons(&fixture.context()).unwrap();
        assert_eq!(groups[0].len(), std::fs::read_dir(&directory).unwrap().count(), "an example is not looked at");
        for addon in &groups[0] {
            insta::assert_snapshot!(format!("example-{}", addon.name), fixture::documents(&addon.objects));
        }
    }

    #[test]
    fn an_object_has_one_owner() {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let error = rendered(&[("x", AddonText::Plain, map), ("y", AddonText::Plain, map)]).unwrap_err();
        assert_eq!(error, "the add-ons x and y both have ConfigMap a; leave it in one of them");
    }

    #[test]
    fn what_an_addon_of_the_image_runs_is_in_the_image() {
        let mut fixture = Fixture::new(36);
        let of_image = Addon { source: AddonSource::Image, ..addon("x", AddonText::Plain) };
        fixture.change(|parts| parts.addons = vec![of_image]);
        let error = addons(&fixture.context()).unwrap_err().to_string();
        assert!(error.contains("has no such manifests"), "{error}");
        let pod =
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'docker.io/x:1'}]}\n";
        fixture.manifests.insert("x".into(), vec![ManifestFile { path: "x.yaml".into(), text: pod.into() }]);
        let error = addons(&fixture.context()).unwrap_err().to_string();
        assert!(error.contains("it runs docker.io/x:1, which the cluster image"), "{error}");
    }
}
