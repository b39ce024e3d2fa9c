//! A loaded kernel module. That it is loaded again at boot is the business of a file in /etc/modules-load.d.

use super::super::proc;
use super::super::protocol::{Action, Failure};
use super::super::tool::tool;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Module;

impl Observe for Module {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        if self.loaded(cx)? {
            return Ok(Vec::new());
        }
        let title = format!("module {}", self.name);
        Ok(vec![Pending::new(title.clone(), Action::Create, "loaded", move |cx| {
            let hint = "the running kernel may lack it: install the package with the kernel's extra modules, or reboot \
                        into the kernel that is installed";
            let loaded = cx.run(&title, &tool(&cx.machine, "modprobe").arg(&self.name));
            loaded.map(drop).map_err(|failure| if failure.hint.is_some() { failure } else { failure.hint(hint) })
        })])
    }
}

impl Module {
    /// Loaded, or part of the kernel.
    fn loaded(&self, cx: &Context) -> Result<bool, Failure> {
        let wanted = underscores(&self.name);
        let loaded = cx.machine.text("/proc/modules")?.unwrap_or_default();
        if proc::modules(&loaded).any(|name| name == wanted) || cx.machine.exists(&format!("/sys/module/{wanted}"))? {
            return Ok(true);
        }
        let file = |path: &str| path.rsplit('/').next().and_then(|file| file.split('.').next()).map(underscores);
        Ok(cx.builtin_modules()?.lines().any(|line| file(line).as_deref() == Some(wanted.as_str())))
    }
}

/// The kernel takes both for the same and prints underscores.
fn underscores(name: &str) -> String {
    name.replace('-', "_")
}
