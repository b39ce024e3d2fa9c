//! The things that a host consists of, one file per kind: what it means to differ, and how that is mended.

mod absent;
pub(super) mod attribute;
mod block;
mod component;
mod context;
mod directory;
mod disks;
mod file;
mod images;
mod interrupts;
mod module;
pub(super) mod originals;
mod program;
mod proxy;
mod retained;
mod sealed;
pub(super) mod stopped;
pub(super) mod swap;
mod symlink;
pub(super) mod sysctls;
#[cfg(test)]
mod tests;
mod text;
mod thin_pool;
mod unit;
pub(super) mod units;
mod user;

pub(super) use block::{blocks, without_blocks};
pub(super) use component::unpacked_from;
pub(super) use context::Context;
pub(super) use proxy::NOTE as PROXY_NOTE;
pub(super) use thin_pool::SNAPSHOTS;

use super::protocol::{Action, Change, Failure};
use crate::desired::state::Resource;

/// A difference that was found: how it reads, and how it is mended.
pub(super) struct Pending<'a> {
    pub(super) change: Change,
    pub(super) mend: Mend<'a>,
}

/// Mends one difference.
pub(super) type Mend<'a> = Box<dyn FnOnce(&Context) -> Result<Outcome, Failure> + 'a>;

/// What mending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The change was made.
    Made,
    /// A second look, which only a part mended before made possible, found nothing to do.
    NotNeeded,
}

impl<'a> Pending<'a> {
    /// A difference without a text diff.
    pub(super) fn new(
        resource: impl Into<String>,
        action: Action,
        summary: impl Into<String>,
        mend: impl FnOnce(&Context) -> Result<(), Failure> + 'a,
    ) -> Self {
        Self::deciding(resource, action, summary, |cx| mend(cx).map(|()| Outcome::Made))
    }

    /// A difference whose mending may find that there is nothing to do.
    pub(super) fn deciding(
        resource: impl Into<String>,
        action: Action,
        summary: impl Into<String>,
        mend: impl FnOnce(&Context) -> Result<Outcome, Failure> + 'a,
    ) -> Self {
        let change = Change { resource: resource.into(), action, summary: summary.into(), diff: None };
        Self { change, mend: Box::new(mend) }
    }

    /// The same with a text diff.
    pub(super) fn with_diff(mut self, diff: Option<String>) -> Self {
        self.change.diff = diff;
        self
    }
}

/// What differs, or why it could not be looked at.
pub(super) type Observed<'a> = Result<Vec<Pending<'a>>, Failure>;

/// Something that can be compared with the host.
pub(super) trait Observe {
    /// Looks, and changes nothing.
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a>;
}

/// Compares one resource with the host.
pub(super) fn observe<'a>(resource: &'a Resource, cx: &Context) -> Observed<'a> {
    match resource {
        Resource::Directory(directory) => directory.observe(cx),
        Resource::File(file) => file.observe(cx),
        Resource::Sealed(sealed) => sealed.observe(cx),
        Resource::Block(block) => block.observe(cx),
        Resource::Symlink(symlink) => symlink.observe(cx),
        Resource::Absent(absent) => absent.observe(cx),
        Resource::User(user) => user.observe(cx),
        Resource::Module(module) => module.observe(cx),
        Resource::Sysctls(sysctls) => sysctls.observe(cx),
        Resource::SwapOff => swap::observe(cx),
        Resource::Attribute(attribute) => attribute.observe(cx),
        Resource::Interrupts(spread) => spread.observe(cx),
        Resource::Program(program) => program.observe(cx),
        Resource::SwapGivenBack => swap::observe_back(cx),
        Resource::Stopped(unit) => stopped::observe(unit, cx),
        Resource::GivenBack(unit) => stopped::observe_back(unit, cx),
        Resource::Disks(disks) => disks.observe(cx),
        Resource::Component(component) => component.observe(cx),
        Resource::Images(images) => images.observe(cx),
        Resource::Unit(unit) => unit.observe(cx),
        Resource::Proxy(proxy) => proxy.observe(cx),
        Resource::Retained(retained) => retained.observe(cx),
    }
}
