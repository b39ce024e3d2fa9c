//! The rules of the cluster, with their places found in the file.

use crate::cluster::{Cluster, Place, Violation};

use super::convert::Converted;
use super::problems::{Fault, Problems};
use super::tree::{Node, Path};

/// Builds the cluster. Where a rule is broken, or anything was wrong before, there is none.
pub(super) fn cluster(converted: Converted, root: &Node, problems: &mut Problems) -> Option<Cluster> {
    let Converted { parts, entries, complete } = converted;
    let finder = Finder { root, entries, complete };
    match Cluster::new(parts) {
        Ok(cluster) => (finder.complete && problems.is_empty()).then_some(cluster),
        Err(violations) => {
            for violation in violations {
                // A rule that weighs a value which is wrong by itself says nothing: what was meant is not known.
                if !finder.doubtful(&violation, problems) {
                    let related = violation.related.iter().filter_map(|place| finder.related(place)).collect();
                    let path = finder.path(&violation.place);
                    let span =
                        if violation.place.key.is_some() { root.nearest_key(&path) } else { root.nearest(&path) };
                    problems.note(span, &path, Fault::new(violation.message, violation.hint), related);
                }
            }
            None
        }
    }
}

struct Finder<'t> {
    root: &'t Node,
    entries: Vec<usize>,
    complete: bool,
}

impl Finder<'_> {
    fn path(&self, place: &Place) -> Path {
        let below = |above: &Path| {
            let path = above.down(place.field);
            place.key.as_deref().map_or_else(|| path.clone(), |key| path.key(key))
        };
        let spec = Path::of("spec");
        let Some(host) = place.host.and_then(|host| self.entries.get(host)) else { return below(&spec) };
        let own = below(&spec.key("hosts").index(*host));
        // What the host does not say itself, it has from the cluster's section of the same name.
        let common = below(&spec);
        if self.root.find(&own).is_none() && self.root.find(&common).is_some() { common } else { own }
    }

    fn related(&self, place: &Place) -> Option<(std::ops::Range<usize>, String)> {
        let path = self.path(place);
        // A default has no place.
        self.root.find(&path).map(|node| (node.span.clone(), "see also here".to_owned()))
    }

    fn doubtful(&self, violation: &Violation, problems: &Problems) -> bool {
        let mut places = std::iter::once(&violation.place).chain(&violation.related);
        places.any(|place| match place {
            Place { host: None, field: "hosts", .. } => !self.complete || problems.is_spoiled(&Path::of("spec.hosts")),
            place => problems.touches(&self.path(place)),
        })
    }
}
