//! Add-ons.

use crate::cluster::{Addon, AddonSource, AddonText};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecAddon;
use crate::inventory::tree::Path;

use super::{Context, files, words};

/// Converts the section `addons`.
pub(super) fn convert(specs: Option<&Vec<SpecAddon>>, context: &mut Context<'_>) -> Vec<Addon> {
    let path = Path::of("spec.addons");
    let specs = specs.into_iter().flatten().enumerate();
    specs.filter_map(|(index, spec)| addon(spec, &path.index(index), context)).collect()
}

fn addon(spec: &SpecAddon, path: &Path, context: &mut Context<'_>) -> Option<Addon> {
    let source = match &spec.path {
        Some(text) => {
            let resolved = files::resolve(text, context);
            context.take(&path.key("path"), resolved).map(AddonSource::Path)
        }
        None => Some(AddonSource::Image),
    };
    let namespace = context.parse(&path.key("namespace"), spec.namespace.as_ref(), "default".into(), label);
    let name = context.take(&path.key("name"), label(spec.name.as_ref()?))?;
    Some(Addon {
        name,
        source: source?,
        text: if spec.template.unwrap_or_default() { AddonText::Template } else { AddonText::Plain },
        namespace,
        after: spec.after.iter().flatten().cloned().collect(),
    })
}

/// One label of a DNS name: what namespaces are called, and values of labels.
fn label(text: &str) -> Result<String, Fault> {
    let name = words::dns_name(text)?;
    if name.contains('.') {
        return Err(Fault::new(format!("{text:?} contains dots"), "use lower-case letters, digits and '-'"));
    }
    Ok(name)
}
