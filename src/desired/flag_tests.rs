//! No component is ever started with a flag that its minor does not know: every command line that is rendered, in every
//! minor, against the table of flags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fixture::{self, Fixture};
use super::objects;
use super::state::Resource;
use crate::cluster::KubeVersion;
use crate::versions::{flags, supported};

/// Flags by component.
type Lines = BTreeMap<String, BTreeSet<String>>;

/// `kubelet` and `config` of `/opt/…/bin/kubelet --config=/x`.
fn add(lines: &mut Lines, command: &[&str]) {
    let Some((program, arguments)) = command.split_first() else { return };
    let component = program.rsplit('/').next().unwrap_or(program).to_owned();
    let flag = |argument: &&str| Some(argument.strip_prefix("--")?.split('=').next()?.to_owned());
    lines.entry(component).or_default().extend(arguments.iter().filter_map(flag));
}

/// Commands of the containers anywhere in a manifest.
fn containers(lines: &mut Lines, value: &Value) {
    match value {
        Value::Object(map) => {
            let words = ["command", "args"].into_iter().filter_map(|key| map.get(key)?.as_array()).flatten();
            let command: Vec<&str> = words.filter_map(Value::as_str).collect();
            if map.contains_key("image") {
                add(lines, &command);
            }
            map.values().for_each(|value| containers(lines, value));
        }
        Value::Array(list) => list.iter().for_each(|value| containers(lines, value)),
        _ => {}
    }
}

/// The command of a unit; its line may go on behind a backslash.
fn unit(lines: &mut Lines, content: &str) {
    let content = content.replace("\\\n", " ");
    let commands = content.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    for command in commands {
        add(lines, &command.split_whitespace().map(|word| word.trim_matches('"')).collect::<Vec<_>>());
    }
}

fn rendered(minor: u32) -> Lines {
    let mut lines = Lines::new();
    let mut vip = Fixture::new(minor);
    vip.change(|parts| parts.endpoint.mode = fixture::vip());
    for fixture in [Fixture::new(minor), vip] {
        for resource in
            ["m1", "n1"].into_iter().flat_map(|host| fixture.state(host).parts).flat_map(|part| part.resources)
        {
            let Resource::File(file) = resource else { continue };
            if file.path.starts_with("/etc/kubernetes/manifests/") {
                containers(&mut lines, &serde_yaml::from_str(&file.content).unwrap());
            } else if file.path.ends_with(".service") {
                unit(&mut lines, &file.content);
            }
        }
        objects(&fixture.context()).unwrap().iter().for_each(|object| containers(&mut lines, object));
    }
    lines
}

#[test]
fn no_command_line_has_a_flag_that_its_minor_does_not_know() {
    let mut known = 0;
    for minor in supported::FIRST..=supported::LAST {
        let version = KubeVersion::new(1, minor, 0);
        let lines = rendered(minor);
        for (component, least) in [
            ("kube-apiserver", 20),
            ("kube-controller-manager", 10),
            ("kube-scheduler", 3),
            ("kubelet", 3),
            ("kube-proxy", 2),
        ] {
            let count = lines.get(component).map_or(0, BTreeSet::len);
            assert!(count >= least, "only {count} flags of {component} were found in 1.{minor}: {lines:#?}");
        }
        for (component, flag) in
            lines.iter().flat_map(|(component, flags)| flags.iter().map(move |flag| (component, flag)))
        {
            known += usize::from(flags::lifetime(component, flag).is_some());
            assert_eq!(flags::check(component, flag, version), Ok(()), "1.{minor}");
        }
    }
    // Some of the flags that come and go are in use while they are there, so the table was really asked.
    assert!(known > 0);
}
