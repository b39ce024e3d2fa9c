//! Container images in containerd, imported from a component's layer. A label on each reference says from which
//! layer it came, so that a rebuilt image with an old reference is imported again.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::super::command::Command;
use super::super::layer::{self, Archive, malformed};
use super::super::protocol::{Action, Change, Failure};
use super::context::KnownImages;
use super::{Context, Observe, Observed, Outcome, Pending};
use crate::desired::state::Images;

const SOCKET: &str = "/run/containerd/containerd.sock";
/// Says from which layer a reference came.
const LABEL: &str = "kubewright.dev/blob";
/// Keeps the kubelet from collecting images that no registry may have.
const PINNED: &str = "io.cri-containerd.pinned=pinned";
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
    fn ctr(&self, cx: &Context) -> Command {
        let socket = cx.machine.root.at(SOCKET).display().to_string();
        let ctr = cx.machine.root.at(&self.ctr).display().to_string();
        Command::new(ctr).args(["-n", "k8s.io", "--address", &socket, "images"])
    }

    fn missing(&self, known: &KnownImages) -> Vec<&String> {
        let there = |name: &&String| known.get(*name).is_some_and(|blob| blob.as_ref() == Some(&self.blob.sha256));
        self.references.iter().filter(|name| !there(name)).collect()
    }

    /// What containerd knows, asked once per request; `None` while it does not run.
    fn known(&self, cx: &Context) -> Result<Option<Rc<KnownImages>>, Failure> {
        if let Some(known) = &*cx.images.borrow() {
            return Ok(Some(Rc::clone(known)));
        }
        // A host may run a containerd of its own before ours is unpacked.
        if !cx.machine.exists(&self.ctr)? {
            return Ok(None);
        }
        match UnixStream::connect(cx.machine.root.at(SOCKET)) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(Failure::new(format!("{}: connecting to {SOCKET}", self.title()), error)),
        }
        let listed = cx.run(&self.title(), &self.ctr(cx).arg("ls"))?;
        let known = Rc::new(parse(&listed.text()));
        *cx.images.borrow_mut() = Some(Rc::clone(&known));
        Ok(Some(known))
    }

    fn mend(&self, cx: &Context) -> Result<Outcome, Failure> {
        if !cx.machine.exists(&self.ctr)? {
            return Err(Failure::new(self.title(), format!("there is no {}", self.ctr))
                .hint("the part that unpacks it comes first: run the whole installation"));
        }
        let known = self.wait(cx)?;
        if self.missing(&known).is_empty() {
            return Ok(Outcome::NotNeeded);
        }
        *cx.images.borrow_mut() = None;
        layer::read(&cx.machine, &self.title(), &self.blob, |archive| self.import(cx, archive))?;
        let known = self.wait(cx)?;
        let absent: Vec<&str> =
            self.references.iter().filter(|name| !known.contains_key(*name)).map(String::as_str).collect();
        if !absent.is_empty() {
            let why = format!("the import succeeded, but containerd does not know {}", absent.join(", "));
            return Err(Failure::new(self.title(), why).hint("the archive in the cluster image has other references"));
        }
        *cx.images.borrow_mut() = None;
        for reference in &self.references {
            let labels = [reference.clone(), format!("{LABEL}={}", self.blob.sha256), PINNED.to_owned()];
            cx.run(&self.title(), &self.ctr(cx).arg("label").args(labels))?;
        }
        Ok(Outcome::Made)
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
            let command = self.ctr(cx).args(["import", "-"]).deadline(IMPORT);
            let imported = cx.machine.system.feed(&command, &mut entry);
            return imported.map(drop).map_err(|error| Failure::command(&title, &error));
        }
        Err(Failure::new(title, format!("its layer has no {wanted}")).hint("build the cluster image again"))
    }
}

/// The table of `ctr images ls`: the reference comes first and the labels last; a size in between has a space.
fn parse(text: &str) -> KnownImages {
    let row = |line: &str| {
        let mut fields = line.split_whitespace();
        let reference = fields.next()?.to_owned();
        let label = |label: &str| label.strip_prefix(LABEL)?.strip_prefix('=').map(str::to_owned);
        Some((reference, fields.next_back()?.split(',').find_map(label)))
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_ctr_is_read() {
        let text = "REF                          TYPE                                                 DIGEST        SIZE      PLATFORMS   LABELS                                                         \n\
            registry.k8s.io/pause:3.2    application/vnd.docker.distribution.manifest.v2+json sha256:abc    298.0 KiB linux/amd64 io.cri-containerd.image=managed,kubewright.dev/blob=ff00 \n\
            registry.k8s.io/etcd:3.4     application/vnd.oci.image.index.v1+json              sha256:def    1.1 MiB   -           -\n";
        let known = parse(text);
        assert_eq!(known["registry.k8s.io/pause:3.2"].as_deref(), Some("ff00"));
        assert_eq!(known["registry.k8s.io/etcd:3.4"], None);
        assert_eq!(known.len(), 2);
        assert!(parse("").is_empty());
    }
}
