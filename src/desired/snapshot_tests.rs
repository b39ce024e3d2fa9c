//! Everything that is written to hosts and to the API, for six minors, as it was reviewed.

use std::fmt::Write as _;

use super::fixture::{self, Fixture, documents};
use super::objects;
use super::state::{HostState, Resource};

const MINORS: [u32; 6] = [20, 24, 28, 31, 34, 37];

/// A host's state as text: files with their content, the rest in one line each.
fn text(state: &HostState) -> String {
    let mut out = String::new();
    for part in &state.parts {
        writeln!(out, "######## {} ########", part.part).unwrap();
        for resource in &part.resources {
            match resource {
                Resource::File(file) => {
                    let restarts = file.restarts.join(" ");
                    writeln!(out, "==== {} {:04o} {} → {restarts}", file.path, file.mode, file.owner.user).unwrap();
                    out.push_str(if file.secret { "(secret)\n" } else { &file.content });
                }
                Resource::Component(component) => writeln!(out, "component {}", component.directory()).unwrap(),
                Resource::Images(images) => {
                    writeln!(out, "images {:?} with {}", images.references, images.ctr).unwrap()
                }
                other => writeln!(out, "{}", serde_json::to_string(other).unwrap()).unwrap(),
            }
        }
    }
    out
}

/// Every manifest and configuration must be what its reader parses.
fn parse(state: &HostState) {
    for resource in state.parts.iter().flat_map(|part| &part.resources) {
        let Resource::File(file) = resource else { continue };
        if file.secret {
            continue;
        }
        if file.path.ends_with(".yaml") {
            let value: serde_json::Value = serde_yaml::from_str(&file.content).unwrap();
            assert!(value["apiVersion"].is_string() && value["kind"].is_string(), "{}", file.path);
            if file.path.starts_with("/etc/kubernetes/manifests/") {
                assert_eq!(value["spec"]["hostNetwork"], true, "{}", file.path);
                assert_eq!(value["spec"]["priority"], 2_000_001_000, "{}", file.path);
                assert!(value["spec"]["containers"][0]["command"].is_array(), "{}", file.path);
            }
        }
        if file.path.ends_with(".conflist") {
            serde_json::from_str::<serde_json::Value>(&file.content).unwrap();
        }
    }
}

#[test]
fn masters() {
    for minor in MINORS {
        let state = Fixture::new(minor).state("m1");
        parse(&state);
        insta::assert_snapshot!(format!("master-1.{minor}"), text(&state));
    }
}

#[test]
fn workers() {
    for minor in MINORS {
        let state = Fixture::new(minor).state("n1");
        parse(&state);
        insta::assert_snapshot!(format!("worker-1.{minor}"), text(&state));
    }
}

#[test]
fn masters_with_a_virtual_address() {
    use super::state::Part;
    for minor in MINORS {
        let mut fixture = Fixture::new(minor);
        fixture.change(|parts| parts.endpoint.mode = fixture::vip());
        let state = fixture.state("m2");
        parse(&state);
        // The other parts are those of a master without one.
        let parts = state
            .parts
            .into_iter()
            .filter(|part| [Part::Kernel, Part::Tuning, Part::Endpoint].contains(&part.part))
            .collect();
        insta::assert_snapshot!(format!("vip-1.{minor}"), text(&HostState { parts }));
    }
}

#[test]
fn an_etcd_host() {
    insta::assert_snapshot!("etcd-1.36", text(&Fixture::with_etcd_host(36).state("e1")));
}

#[test]
fn api_objects() {
    for minor in MINORS {
        let objects = objects(&Fixture::new(minor).context()).unwrap();
        insta::assert_snapshot!(format!("objects-1.{minor}"), documents(&objects));
        // What stands inside the ConfigMap is YAML of its own.
        let data = objects.iter().find(|object| object["kind"] == "ConfigMap").unwrap()["data"].clone();
        for text in data.as_object().unwrap().values() {
            let value: serde_json::Value = serde_yaml::from_str(text.as_str().unwrap()).unwrap();
            assert!(value["kind"].is_string());
        }
    }
}
