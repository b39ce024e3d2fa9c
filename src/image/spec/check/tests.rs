use super::super::{Spec, SpecError};

const HEAD: &str = "apiVersion: kubewright.dev/v1alpha1\nkind: ImageSpec\nname: a\nkubernetes: v1.20.2\n";

#[test]
fn every_broken_rule_is_reported_at_once() {
    let text = format!(
        "{HEAD}{}",
        r"
components:
  - {name: images, version: ../1, roles: []}
  - name: kubelet
    version: v1.20.2
    roles: [worker]
    files:
      - {file: /etc/shadow, url: 'ftp://example.org/a'}
      - {url: 'ftp://example.org/a', sha256: abc}
      - {url: 'https://example.org/a', to: ../a}
      - {member: a}
    images:
      - {reference: busybox, layers: [], env: {'a=b': c}}
      - {reference: registry.example/busybox:1, layers: [gone]}
  - name: kubelet
    version: v1
    roles: [worker]
    images: [{reference: 'registry.example/busybox:1', layers: [base]}]
    layers: {base: [{file: a}], spare: []}
"
    );
    let error = Spec::parse(&text, "bad.yaml").unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn unknown_keys_name_their_line() {
    for (addition, what) in [
        ("components: []\ncolour: red\n", "colour"),
        ("components: [{name: a, version: 1.0.0, roles: [master], files: []}]\n", "master"),
        ("components: [{name: a, version: 1.0.0, roles: [etcd], files: [{file: a, mode: '0777'}]}]\n", "0777"),
        ("components: []\nname: b\n", "duplicate"),
    ] {
        let error = Spec::parse(&format!("{HEAD}{addition}"), "bad.yaml").unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("line"), "{addition}: {error}");
    }
}

#[test]
fn the_schema_refuses_unknown_keys_too() {
    let schema = serde_json::to_value(crate::image::spec_schema()).unwrap();
    let objects = ["ComponentSpec", "Source", "ContainerImage"].map(|name| &schema["$defs"][name]);
    for object in objects.into_iter().chain([&schema]) {
        assert_eq!(object["additionalProperties"], false, "{object}");
    }
    assert_eq!(schema["required"], serde_json::json!(["apiVersion", "kind", "name", "kubernetes", "components"]));
    assert_eq!(schema["$defs"]["Role"]["oneOf"][0]["const"], "control-plane");
}

#[test]
fn architectures_registries_and_names_in_braces_have_rules_too() {
    let zeros = "0".repeat(64);
    let text = format!(
        "{HEAD}architectures: [amd64, arm64]
components:
  - {{name: kubewright, version: 1.0.0, roles: [etcd], files: [{{file: 'a-{{arch}}', sha256: '{zeros}', checksums: 'http://a/b'}}]}}
  - name: kubelet
    version: v1.20.2
    roles: [worker]
    files:
      - {{url: 'https://example.org/{{arch}}/{{os}}', member: '{{release}}', sha256: {{amd64: abc}}, checksums: 'ftp://a'}}
  - name: pods
    version: ..
    roles: [worker]
    images:
      - {{image: 'registry.example/a:{{version}}', layers: [base], digest: abc}}
      - {{image: 'registry.example/a:1', reference: 'registry.example/b:{{arch}}', user: root}}
      - {{reference: 'registry.example/c:1', layers: [base], digest: 'sha256:{zeros}'}}
      - {{digest: {{arm64: 'sha256:{zeros}'}}}}
    layers: {{base: [{{file: '{{version}}/a'}}]}}
"
    );
    let error = Spec::parse(&text, "bad.yaml").unwrap_err();
    insta::assert_snapshot!(error, @r#"
    bad.yaml breaks 18 rule(s):
      components[0] (kubewright): name: "kubewright" is the program in the image itself; see `program` in the spec
      components[0] (kubewright): files[0]: checksums: only downloads have a publisher
      components[0] (kubewright): files[0]: sha256: there is one for several files, because of {arch}: write {amd64: …, arm64: …}
      components[1] (kubelet): files[0]: checksums: "ftp://a" starts with neither https:// nor http://
      components[1] (kubelet): files[0]: sha256: "abc" is not 64 lower-case hex digits
      components[1] (kubelet): files[0]: url: {os} in "https://example.org/{arch}/{os}" stands for nothing; there is {version} and {arch}
      components[1] (kubelet): files[0]: member: {release} in "{release}" stands for nothing; there is {version} and {arch}
      components[2] (pods): version: ".." may only have letters, digits, '.', '_', '+' and '-', and must start with a letter or digit
      components[2] (pods): layers.base[0]: file: "{version}/a" is not a plain relative path (no leading '/', no '..')
      components[2] (pods): images (registry.example/a:..): image: "registry.example/a:{version}" is not of the form REGISTRY/PATH:TAG: the tag must be 1 to 128 letters, digits, '.', '_', '-', and not start with '.' or '-'
      components[2] (pods): images (registry.example/a:..): digest: "abc" is not sha256: and 64 hex digits
      components[2] (pods): images (registry.example/a:..): it has both image and layers
      components[2] (pods): images (registry.example/b:{arch}): reference: {arch} in "registry.example/b:{arch}" stands for nothing; there is {version}
      components[2] (pods): images (registry.example/b:{arch}): an image of a registry is taken as it is: no entrypoint, command, env or user
      components[2] (pods): images (registry.example/c:1): digest: is for images of a registry (image)
      components[2] (pods): images (): reference: is missing
      components[2] (pods): images (): digest: is for images of a registry (image)
      components[2] (pods): images (): layers: there are none
    "#);
    let error = Spec::parse(&format!("{HEAD}architectures: []\ncomponents: []\n"), "bad.yaml").unwrap_err().to_string();
    assert!(error.contains("architectures: there are none"), "{error}");
    let text = format!(
        "{HEAD}components: [{{name: a, version: '1', roles: [etcd], files: [{{file: a, sha256: {{arm64: '{zeros}'}}}}]}}]\n"
    );
    let error = Spec::parse(&text, "bad.yaml").unwrap_err().to_string();
    assert!(error.contains("sha256: arm64 is not among the architectures of the spec"), "{error}");
}

#[test]
fn a_network_plugin_has_all_of_its_images_and_its_kinds() {
    let problems = |components: &str| match Spec::parse(&format!("{HEAD}components:\n{components}"), "a.yaml") {
        Ok(_) => Vec::new(),
        Err(SpecError::Rules { problems, .. }) => problems,
        Err(other) => panic!("{other}"),
    };
    let images = |names: &[&str]| -> String {
        let image = |name: &&str| format!("{{image: 'quay.io/calico/{name}:v1', digest: 'sha256:{}'}}", "0".repeat(64));
        names.iter().map(image).collect::<Vec<_>>().join(", ")
    };
    let calico = |version: &str, names: &[&str]| {
        format!("  - {{name: calico, version: {version}, roles: [worker], images: [{}]}}\n", images(names))
    };
    let crds = "  - {name: calico-crds, version: v1, manifests: [{file: crds.yaml}]}\n";
    assert_eq!(
        problems(&calico("v3.28.0", &["node"])),
        [
            "components (calico): it has no container image called cni",
            "components (calico): it has no container image called kube-controllers",
            "components (calico): there is no component calico-crds whose manifests define its kinds",
        ]
    );
    assert!(problems(&(calico("v3.28.0", &["node", "cni", "kube-controllers"]) + crds)).is_empty());
    assert!(problems(&(calico("v3.33.0", &["node", "calico", "third-party-cni-plugins"]) + crds)).is_empty());
    let roles = problems("  - {name: a, version: '1', roles: [worker], manifests: [{file: a}]}\n");
    assert_eq!(roles, ["components[0] (a): roles: no host gets manifests; leave them out"]);
}
