use crate::desired::fixture::{self, Fixture};

use super::*;

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
        ("a: {{ cluster.nmae }}\n", "add-on x, /inv/x.yaml, line 1: `cluster.nmae` is undefined; did you mean"),
        ("kind: [\n", "add-on x, /inv/x.yaml, line "),
        (
            "- a\n",
            "add-on x, /inv/x.yaml, line 1 once it is filled: a document is no object of Kubernetes: it is no map",
        ),
    ] {
        let error = rendered(&[("x", AddonText::Template, text)]).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn all_faults_of_all_addons_are_told() {
    let (bad, worse) = ("apiVersion: v1\nkind: ConfigMap\n", "---\nkind: A\nmetadata: {name: a}\n---\nx: {{ a }}\n");
    let error = rendered(&[("x", AddonText::Plain, bad), ("y", AddonText::Plain, worse)]).unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines[0], "add-on x, /inv/x.yaml, line 1: a ConfigMap without name: it has no metadata.name");
    let hint = "; line 5 looks like a template: if it is one, set `template: true`";
    assert_eq!(lines[1], format!("add-on y, /inv/y.yaml, line 2: A a: it has no apiVersion{hint}"));
    assert!(lines[2].starts_with("add-on y, /inv/y.yaml, line 5: ") && lines[2].ends_with(hint), "{error}");
}

#[test]
fn a_file_without_objects_is_refused() {
    for text in ["", "\n", "# cut off\n---\n# here\n"] {
        for kind in [AddonText::Plain, AddonText::Template] {
            let error = rendered(&[("x", kind, text)]).unwrap_err();
            assert!(
                error.starts_with("add-on x, /inv/x.yaml: no manifests are there: it is empty"),
                "{text:?}: {error}"
            );
        }
    }
    let error = rendered(&[("x", AddonText::Template, "{% if false %}a: 1{% endif %}\n")]).unwrap_err();
    assert!(error.starts_with("add-on x, /inv/x.yaml: no objects come out of it"), "{error}");
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
    assert_eq!(
        error,
        "ConfigMap demo/a is in the add-on x, /inv/x.yaml, line 1, and in the add-on y, /inv/y.yaml, line 1; leave one of \
         them"
    );
    let error = rendered(&[("x", AddonText::Plain, &format!("{map}---\n{map}"))]).unwrap_err();
    assert!(error.contains("add-on x, /inv/x.yaml, line 1, and in the add-on x, /inv/x.yaml, line 5;"), "{error}");
}

#[test]
fn what_the_cluster_needs_itself_is_no_addons() {
    let object = |api: &str, kind: &str, namespace: &str, name: &str| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name:?}{namespace}}}\n")
    };
    let system = ", namespace: kube-system";
    for (text, expected) in [
        (object("apps/v1", "DaemonSet", system, "kube-proxy"), "DaemonSet kube-system/kube-proxy is the cluster's own"),
        (
            object("v1", "Node", "", "n1"),
            "Node n1 is the kubelet's; labels and taints of nodes belong into the inventory",
        ),
        (
            object("v1", "ConfigMap", system, "kubewright-addon-x"),
            "ConfigMap kube-system/kubewright-addon-x is kubewright's own",
        ),
        (
            object("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", "", "kubeadm:node-proxier"),
            "ClusterRoleBinding kubeadm:node-proxier is the cluster's own",
        ),
        (
            object("v1", "Service", ", namespace: default", "kubernetes"),
            "Service default/kubernetes is Kubernetes' own",
        ),
    ] {
        let error = rendered(&[("x", AddonText::Plain, &text)]).unwrap_err();
        assert!(error.starts_with(&format!("add-on x, /inv/x.yaml, line 1: {expected}")), "{error}");
    }
    assert!(rendered(&[("x", AddonText::Plain, &object("apps/v1", "DaemonSet", "", "kube-proxy"))]).is_ok());
}

#[test]
fn objects_of_calico_are_no_addons_where_calico_is_the_clusters() {
    let mut fixture = Fixture::with_calico(36, "3.32.0");
    let own = crate::desired::objects(&fixture.context()).unwrap();
    let pool = own.iter().find(|object| object["kind"] == "IPPool").unwrap();
    fixture.change(|parts| parts.addons = vec![addon("x", AddonText::Plain)]);
    let file = ManifestFile { path: "/inv/x.yaml".into(), text: pool.to_string() };
    fixture.manifests.insert("x".into(), vec![file]);
    let error = addons(&fixture.context()).unwrap_err().to_string();
    assert!(error.contains("is the cluster's own (Calico); take it out of the add-on"), "{error}");
}

#[test]
fn without_the_image_what_is_in_files_is_judged() {
    let mut fixture = Fixture::new(36);
    let of_image = Addon { source: AddonSource::Image, ..addon("y", AddonText::Plain) };
    fixture.change(|parts| parts.addons = vec![addon("x", AddonText::Template), of_image]);
    let text =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: {{ images.pause | quoted }}}]}\n";
    let mut file = ManifestFile { path: "/inv/x.yaml".into(), text: text.to_owned() };
    fixture.manifests.insert("x".into(), vec![file.clone()]);
    let groups = judge_addons(&fixture.cluster, None, &fixture.manifests).unwrap();
    assert_eq!(groups[0][0].objects[0]["spec"]["containers"][0]["image"], "image.invalid/pause:v0");
    file.text = "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ cluster.nmae }}}\n".into();
    fixture.manifests.insert("x".into(), vec![file]);
    let error = judge_addons(&fixture.cluster, None, &fixture.manifests).unwrap_err().to_string();
    assert!(error.contains("did you mean `cluster.name`?"), "{error}");
}

#[test]
fn images_that_the_cluster_image_lacks_are_known() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{image: nginx}, {image: \
               'registry.k8s.io/pause:3.10'}]\n";
    let groups = rendered(&[("x", AddonText::Plain, pod)]).unwrap();
    assert_eq!(not_in_the_image(&groups, &Fixture::new(36).image), [("x".to_owned(), "nginx".to_owned())]);
}

#[test]
fn what_an_addon_of_the_image_runs_is_in_the_image() {
    let mut fixture = Fixture::new(36);
    let of_image = Addon { source: AddonSource::Image, ..addon("x", AddonText::Plain) };
    fixture.change(|parts| parts.addons = vec![of_image]);
    fixture.manifests.insert("x".into(), Vec::new());
    let error = addons(&fixture.context()).unwrap_err().to_string();
    assert!(error.contains("has no such manifests"), "{error}");
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'docker.io/x:1'}]}\n";
    fixture.manifests.insert("x".into(), vec![ManifestFile { path: "x.yaml".into(), text: pod.into() }]);
    let error = addons(&fixture.context()).unwrap_err().to_string();
    assert!(error.contains("it runs docker.io/x:1, which the cluster image"), "{error}");
}
