//! The container images of Calico, as the cluster image has them.

use crate::cluster::Version;
use crate::desired::{Context, Error};
use crate::versions::calico as table;

/// References of the container images.
pub(super) struct Images<'a> {
    pub(super) node: &'a str,
    pub(super) cni: &'a str,
    pub(super) controllers: &'a str,
    /// None where there is no Typha.
    pub(super) typha: Option<&'a str>,
    /// None where the image of the CNI plugin holds those of others.
    pub(super) plugins: Option<&'a str>,
}

impl<'a> Images<'a> {
    pub(super) fn of(context: &Context<'a>, version: Version, with_typha: bool) -> Result<Self, Error> {
        let names = table::images(version);
        let typha = with_typha.then_some(names.typha);
        let mut wanted: Vec<_> = [names.node, names.cni, names.controllers].into();
        wanted.extend(typha.into_iter().chain(names.plugins));
        wanted.sort_unstable();
        // Several parts may be one image, which is missing once.
        wanted.dedup();
        Error::collect(wanted.into_iter().filter_map(|name| context.reference(name).err()).collect())?;
        Ok(Self {
            node: context.reference(names.node)?,
            cni: context.reference(names.cni)?,
            controllers: context.reference(names.controllers)?,
            typha: typha.map(|name| context.reference(name)).transpose()?,
            plugins: names.plugins.map(|name| context.reference(name)).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::desired::fixture::{Fixture, worker};
    use crate::desired::objects;
    use crate::image::ComponentKind;

    /// What is said without the container images of these names.
    fn without(mut fixture: Fixture, names: &[&str]) -> Vec<String> {
        let component = fixture.component("calico");
        let references = component.kind.references().iter();
        let kept = references.filter(|reference| !names.iter().any(|name| reference.contains(&format!("/{name}:"))));
        component.kind = ComponentKind::Images(kept.cloned().collect());
        let message = objects(&fixture.context()).map_or_else(|error| error.to_string(), |_| String::new());
        let line = |line: &str| line.split(';').next().unwrap_or_default().to_owned();
        message.lines().map(line).collect()
    }

    #[test]
    fn every_image_that_is_missing_is_named_once() {
        let missing = |name: &str| format!("the cluster image fixture has no container image called {name}");
        assert_eq!(without(Fixture::with_calico(32, "3.30.2"), &["cni", "node"]), [missing("cni"), missing("node")]);
        assert_eq!(without(Fixture::with_calico(37, "3.33.0"), &["calico"]), [missing("calico")]);
        let plugins = "third-party-cni-plugins";
        assert_eq!(without(Fixture::with_calico(37, "3.33.0"), &[plugins]), [missing(plugins)]);
    }

    #[test]
    fn typhas_image_is_wanted_where_there_is_a_typha() {
        assert!(without(Fixture::with_calico(32, "3.30.2"), &["typha"]).is_empty());
        let mut fixture = Fixture::with_calico(32, "3.30.2");
        fixture.change(|parts| parts.hosts.extend((2..60).map(|index| worker(&format!("n{}", index + 1), index))));
        fixture.meet();
        assert_eq!(without(fixture, &["typha"]).len(), 1);
    }
}
