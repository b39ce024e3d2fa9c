//! The rules of the cluster, with their places found in the file.

use std::ops::Range;

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
                    let path = finder.path(&violation.place);
                    let mut related: Vec<_> =
                        violation.related.iter().filter_map(|place| finder.place(place)).collect();
                    let span = if violation.place.key.is_some() {
                        root.nearest_key(&path)
                    } else if root.find(&path).is_none() && !related.is_empty() {
                        // The field has its default; what was written is the other one.
                        related.remove(0)
                    } else {
                        root.nearest(&path)
                    };
                    let related = related.into_iter().map(|span| (span, "see also here".to_owned())).collect();
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

    /// Where `place` is in the file; a default is nowhere.
    fn place(&self, place: &Place) -> Option<Range<usize>> {
        self.root.find(&self.path(place)).map(|node| node.span.clone())
    }

    fn doubtful(&self, violation: &Violation, problems: &Problems) -> bool {
        let mut places = std::iter::once(&violation.place).chain(&violation.related).chain(&violation.weighed);
        places.any(|place| match place {
            Place { host: None, field: "hosts", .. } => !self.complete || problems.is_spoiled(&Path::of("spec.hosts")),
            place => problems.touches(&self.path(place)),
        })
    }
}
