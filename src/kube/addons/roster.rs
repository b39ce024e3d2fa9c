//! All add-ons that are wanted, as far as one of them matters to another.

use std::collections::BTreeSet;

use super::super::crds;
use super::super::object::{Object, ObjectId};
use super::super::resource::Resource;
use super::Addon;
use crate::cluster::object::{group_of, is_cluster_scoped};

/// Group, kind, namespace and name.
type Claim = (String, String, Option<String>, String);

/// What add-ons bring and want together.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Kinds that they define, whether the server has them yet or not.
    pub(super) kinds: Vec<Resource>,
    /// Namespaces that they bring.
    pub(super) namespaces: BTreeSet<String>,
    claims: BTreeSet<Claim>,
}

impl Roster {
    /// That of `addons`.
    pub fn of<'a>(addons: impl IntoIterator<Item = &'a Addon>) -> Self {
        let mut roster = Self::default();
        for addon in addons {
            // What is no object is told when its add-on's turn comes.
            let objects: Vec<Object> = addon.objects.iter().filter_map(|value| Object::parse(value).ok()).collect();
            roster.kinds.extend(crds::defined(&objects));
            for Object { id, .. } in objects {
                if (id.api_version.as_str(), id.kind.as_str()) == ("v1", "Namespace") {
                    roster.namespaces.insert(id.name.clone());
                }
                let group = group_of(&id.api_version).to_owned();
                // Without asking, where an object goes that names no namespace is known of some kinds only.
                if id.namespace.is_none() && !is_cluster_scoped(&group, &id.kind) {
                    let namespace = Some(addon.namespace.clone());
                    roster.claims.insert((group.clone(), id.kind.clone(), namespace, id.name.clone()));
                }
                roster.claims.insert((group, id.kind, id.namespace, id.name));
            }
        }
        roster
    }

    /// Whether any of them wants the object.
    pub(super) fn wants(&self, id: &ObjectId) -> bool {
        let group = group_of(&id.api_version).to_owned();
        self.claims.contains(&(group, id.kind.clone(), id.namespace.clone(), id.name.clone()))
    }
}
