//! A loaded kernel module. That it is loaded again at boot is the business of a file in /etc/modules-load.d.

use std::fs;

use super::super::proc;
use super::super::protocol::{Action, Failure};
use super::super::tool::tool;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Module;

impl Observe for Module {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let mut pending = Vec::new();
        let title = format!("module {}", self.name);
        if !self.loaded(cx)? {
            let title = title.clone();
            pending.push(Pending::new(title.clone(), Action::Create, "loaded", move |cx| {
                let hint = "the running kernel may lack it: install the package with the kernel's extra modules, or \
                            reboot into the kernel that is installed";
                let loaded = cx.run(&title, &tool(&cx.machine, "modprobe").arg(&self.name));
                loaded.map(drop).map_err(|failure| if failure.hint.is_some() { failure } else { failure.hint(hint) })
            }));
            // What modprobe.d says of parameters holds from here on.
            return Ok(pending);
        }
        for (key, least) in &self.parameters {
            let path = format!("/sys/module/{}/parameters/{key}", underscores(&self.name));
            // A parameter that this kernel does not have has nothing to be set.
            let Some(live) = cx.machine.text(&path)? else { continue };
            if live.trim().parse::<u64>().is_ok_and(|live| live < *least) {
                let summary = format!("{key} {} → {least}", live.trim());
                pending.push(Pending::new(title.clone(), Action::Update, summary, move |cx| {
                    let written = fs::write(cx.machine.root.at(&path), least.to_string());
                    written.map_err(|error| Failure::new(format!("writing {least} to {path}"), error))
                }));
            }
        }
        Ok(pending)
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
