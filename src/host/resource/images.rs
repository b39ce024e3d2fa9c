//! Container images in containerd, imported from a component's layer. A label on each reference says from which
//! layer it came, so that a rebuilt image with an old reference is imported again.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::super::atomic;
use super::super::command::Command;
use super::super::containerd::Images as KnownImages;
use super::super::layer::{self, Archive, malformed};
use super::super::machine::Machine;
use super::super::protocol::{Action, Change, Failure};
use super::{Context, Observe, Observed, Outcome, Pending};
use crate::cluster::Snapshotter;
use crate::desired::state::Images;

/// Where every version of our own containerd is.
const PROGRAMS: &str = "/opt/kubewright/containerd";
/// Where it keeps what it has.
const ROOT: &str = "/var/lib/containerd";
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";
/// Says from which layer a reference came.
pub(super) const LABEL: &str = "kubewright.dev/blob";
/// Keeps the kubelet from collecting images that no registry may have.
const PINNED: (&str, &str) = ("io.cri-containerd.pinned", "pinned");
/// How long containerd may take to answer after its unit was started.
const START: Duration = Duration::from_secs(120);
/// Importing is bound by the disk.
const IMPORT: Duration = Duration::from_secs(1800);

impl Observe for Images {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let (missing, unknown) = match self.known(cx)? {
            Some(known) => (self.missing(&known), false),
            None => (self.references.iter().collect(), true),
        };
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let because = if unknown { " (containerd does not run yet, so what it has is not known)" } else { "" };
        let summary = format!("import {names}{because}");
        let change = Change { resource: self.title(), action: Action::Create, summary, diff: None };
        Ok(vec![Pending { change, mend: Box::new(|cx| self.mend(cx)) }])
    }
}

impl Images {
    fn missing(&self, known: &KnownImages) -> Vec<&String> {
        let there =
            |name: &&String| known.get(*name).is_some_and(|labels| labels.get(LABEL) == Some(&self.blob.sha256));
        self.references.iter().filter(|name| !there(name)).collect()
    }

    /// What containerd knows, asked once per request; `None` while it does not run.
    fn known(&self, cx: &Context) -> Result<Option<Rc<KnownImages>>, Failure> {
        if let Some(known) = &*cx.images.borrow() {
            return Ok(Some(Rc::clone(known)));
        }
        // A host may run a containerd of its own before any of ours is unpacked.
        if !cx.machine.exists(PROGRAMS)? {
            return Ok(None);
        }
        let socket = cx.machine.root.at(SOCKET);
        match UnixStream::connect(&socket) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(Failure::new(format!("{}: connecting to {SOCKET}", self.title()), error)),
        }
        let known = cx.machine.system.images(&socket).map_err(|error| self.failed("listing images", error))?;
        let known = Rc::new(known);
        *cx.images.borrow_mut() = Some(Rc::clone(&known));
        Ok(Some(known))
    }

    fn mend(&self, cx: &Context) -> Result<Outcome, Failure> {
        if !cx.machine.exists(&self.ctr)? {
            return Err(Failure::new(self.title(), format!("there is no {}", self.ctr))
                .hint("run the same command again: the part that unpacks it comes first"));
        }
        let known = self.wait(cx)?;
        if self.missing(&known).is_empty() {
            return Ok(Outcome::NotNeeded);
        }
        *cx.images.borrow_mut() = None;
        if self.references.iter().any(|name| known.get(name).is_some_and(|labels| !labels.contains_key(LABEL))) {
            self.forget(cx)?;
        }
        layer::read(&cx.machine, &self.title(), &self.blob, |archive| self.import(cx, archive))?;
        self.sync(cx)?;
        let labels = [(LABEL, self.blob.sha256.as_str()), PINNED];
        let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for reference in &self.references {
            let labelled = cx.machine.system.label_image(&cx.machine.root.at(SOCKET), reference, &labels);
            labelled.map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    let why = format!("the import succeeded, but containerd does not know {reference}");
                    Failure::new(self.title(), why)
                        .hint("build the cluster image again: its archive has other references")
                }
                _ => self.failed(&format!("labelling {reference}"), error),
            })?;
        }
        Ok(Outcome::Made)
    }

    /// What containerd has under our references without our label may be half of an import: it notes that files are
    /// there before they are on the disk, so after a power cut they may be cut short, and it would not unpack them again.
    fn forget(&self, cx: &Context) -> Result<(), Failure> {
        let socket = cx.machine.root.at(SOCKET);
        let failed = |error| self.failed("removing what an import left that was cut off", error);
        let catalogue = cx.machine.system.image_catalogue(&socket).map_err(failed)?;
        let mut names = Vec::new();
        for image in catalogue.images.iter().filter(|image| self.references.contains(&image.name)) {
            // containerd has further names for it. One that has our label is whole, under whatever name.
            let same = || catalogue.images.iter().filter(|one| one.digest == image.digest);
            if same().all(|one| !one.labels.contains_key(LABEL)) {
                names.extend(same().map(|one| one.name.clone()));
            }
        }
        names.sort();
        names.dedup();
        cx.machine.system.forget_images(&socket, &names, booted(&cx.machine)?).map_err(failed)
    }

    /// The label says that an image is whole, so all of it must be on the disk before.
    fn sync(&self, cx: &Context) -> Result<(), Failure> {
        let synced = atomic::sync_file_system(&cx.machine.root.at(ROOT));
        synced.map_err(|error| self.failed(&format!("writing {ROOT} to the disk"), error))
    }

    fn failed(&self, doing: &str, error: impl std::fmt::Display) -> Failure {
        Failure::new(format!("{}: {doing}", self.title()), error)
            .hint("see journalctl -u containerd.service on the host")
    }

    fn wait(&self, cx: &Context) -> Result<Rc<KnownImages>, Failure> {
        let since = cx.machine.system.elapsed();
        loop {
            if let Some(known) = self.known(cx)? {
                return Ok(known);
            }
            if cx.machine.system.elapsed().saturating_sub(since) >= START {
                let why = format!("nothing listens on {SOCKET} after {} s", START.as_secs());
                return Err(Failure::new(self.title(), why).hint("see journalctl -u containerd.service on the host"));
            }
            cx.machine.system.pause(Duration::from_millis(500));
        }
    }

    /// Feeds the archive inside the layer to containerd, without a file in between.
    fn import(&self, cx: &Context, layer: &mut Archive) -> Result<(), Failure> {
        let title = self.title();
        let wanted = format!("opt/kubewright/images/{}.tar", self.name);
        for entry in layer.entries().map_err(|error| malformed(&title, &error))? {
            let mut entry = entry.map_err(|error| malformed(&title, &error))?;
            let path = entry.path().map_err(|error| malformed(&title, &error))?.into_owned();
            if path.strip_prefix("./").unwrap_or(&path) != Path::new(&wanted) {
                continue;
            }
            let socket = cx.machine.root.at(SOCKET).display().to_string();
            let ctr = cx.machine.root.at(&self.ctr).display().to_string();
            let command = Command::new(ctr).args(["-n", "k8s.io", "--address", &socket, "images", "import"]);
            let command = match self.snapshotter {
                Snapshotter::Overlayfs => command.arg("-"),
                Snapshotter::Devmapper => command.args(["--snapshotter", self.snapshotter.as_str(), "-"]),
            };
            let command = command.deadline(IMPORT);
            let imported = cx.machine.system.feed(&command, &mut entry);
            return imported.map(drop).map_err(|error| Failure::command(&title, &error));
        }
        Err(Failure::new(title, format!("its layer has no {wanted}")).hint("build the cluster image again"))
    }
}

/// When the host was started, by its clock.
fn booted(machine: &Machine) -> Result<SystemTime, Failure> {
    let text = machine.text("/proc/stat")?.unwrap_or_default();
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or(0)))
}
