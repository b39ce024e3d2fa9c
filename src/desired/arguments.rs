//! The command line of a component, with the tables' and the inventory's say in it.

use std::collections::BTreeMap;

use super::Error;
use crate::cluster::KubeVersion;
use crate::versions::{flags, gates};

/// Flags of one component, sorted by name.
#[derive(Debug, Clone)]
pub(super) struct Arguments {
    component: &'static str,
    version: KubeVersion,
    values: BTreeMap<String, String>,
}

impl Arguments {
    pub(super) fn new(component: &'static str, version: KubeVersion) -> Self {
        Self { component, version, values: BTreeMap::new() }
    }

    /// Sets a flag, unless the tables say that this version does not know it.
    pub(super) fn set(&mut self, flag: &str, value: impl Into<String>) {
        if flags::check(self.component, flag, self.version).is_ok() {
            self.values.insert(flag.to_owned(), value.into());
        }
    }

    /// Adds what the inventory wants, which wins over ours. Flags and gates that this version does not know are errors:
    /// the component would not start, and the operator would not know why.
    pub(super) fn merge(&mut self, extra: &BTreeMap<String, BTreeMap<String, String>>) -> Result<(), Error> {
        let Some(extra) = extra.get(self.component) else { return Ok(()) };
        let mut errors = Vec::new();
        for (flag, value) in extra {
            let flag = flag.trim_start_matches('-');
            match flags::check(self.component, flag, self.version) {
                Ok(()) => drop(self.values.insert(flag.to_owned(), value.clone())),
                Err(error) => errors.push(error.into()),
            }
            if flag == "feature-gates" {
                errors.extend(self.unknown_gates(value));
            }
        }
        if self.values.contains_key("authorization-config") {
            // The file names the authorizers then; kube-apiserver refuses to be told twice.
            self.values.remove("authorization-mode");
        }
        Error::collect(errors)
    }

    fn unknown_gates(&self, value: &str) -> Vec<Error> {
        let names = value.split(',').filter_map(|pair| pair.split('=').next()).map(str::trim);
        names
            .filter_map(|gate| {
                gates::removed(gate, self.version).map(|removed| Error::Gate {
                    component: self.component.to_owned(),
                    gate: gate.to_owned(),
                    version: self.version,
                    removed,
                })
            })
            .collect()
    }

    /// Whether some flag has this value.
    pub(super) fn names(&self, value: &str) -> bool {
        self.values.values().any(|known| known == value)
    }

    /// The value of a flag.
    pub(super) fn get(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).map(String::as_str)
    }

    /// `--flag=value`, in order of flags.
    pub(super) fn lines(&self) -> Vec<String> {
        self.values.iter().map(|(flag, value)| format!("--{flag}={value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(flag: &str, value: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        BTreeMap::from([("kubelet".to_owned(), BTreeMap::from([(flag.to_owned(), value.to_owned())]))])
    }

    fn kubelet(minor: u32) -> Arguments {
        Arguments::new("kubelet", KubeVersion::new(1, minor, 0))
    }

    #[test]
    fn ours_are_dropped_where_they_are_unknown() {
        for (minor, expected) in [(34, &["--pod-infra-container-image=p", "--v=2"][..]), (35, &["--v=2"])] {
            let mut arguments = kubelet(minor);
            arguments.set("v", "2");
            arguments.set("pod-infra-container-image", "p");
            assert_eq!(arguments.lines(), expected);
        }
    }

    #[test]
    fn the_inventory_wins_but_is_refused_where_it_is_wrong() {
        let mut arguments = kubelet(36);
        arguments.set("v", "2");
        arguments.merge(&extra("--v", "4")).unwrap();
        assert_eq!(arguments.lines(), ["--v=4"]);
        assert!(arguments.merge(&extra("container-runtime", "remote")).is_err());
        let error = arguments.merge(&extra("feature-gates", "Fine=true, PodSecurity=true")).unwrap_err().to_string();
        assert!(error.contains("the feature gate PodSecurity: removed in v1.28"), "{error}");
    }
}
