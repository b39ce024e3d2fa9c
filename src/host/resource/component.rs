//! A component's files, unpacked from its layer. A marker inside the directory says from which layer, and lists every
//! file with its size and time of change: nothing is hashed again while they match.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::atomic;
use super::super::layer;
use super::super::machine::{Machine, found};
use super::super::protocol::{Action, Failure};
use super::super::unpack::unpack;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Component;

/// Name of the marker in a component's directory.
pub(super) const MARKER: &str = ".kubewright-digest";

/// What a marker says.
struct Marker {
    /// SHA-256 of the layer.
    digest: String,
    /// A line for every file, as `entry_line` makes it.
    files: String,
}

impl Marker {
    /// The marker in `directory`, if there is one.
    fn read(machine: &Machine, directory: &str) -> Result<Option<Self>, Failure> {
        let text = machine.text(&format!("{directory}/{MARKER}"))?;
        Ok(text.map(|text| {
            let (digest, files) = text.split_once('\n').unwrap_or((&text, ""));
            Self { digest: digest.trim().to_owned(), files: files.to_owned() }
        }))
    }

    /// The first file that is no longer what was unpacked.
    fn damaged(&self, root: &Path) -> io::Result<Option<&str>> {
        for line in self.files.lines() {
            let Some(path) = line.splitn(3, ' ').nth(2) else { continue };
            if found(fs::symlink_metadata(root.join(path)))?.is_none_or(|meta| entry_line(&meta, path) != line) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// SHA-256 of the layer that `directory` was unpacked from, as its marker says.
pub(in crate::host) fn unpacked_from(machine: &Machine, directory: &str) -> Result<Option<String>, Failure> {
    Ok(Marker::read(machine, directory)?.map(|marker| marker.digest))
}

impl Observe for Component {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let directory = self.directory();
        let marker = Marker::read(&cx.machine, &directory)?;
        let (action, summary) = match &marker {
            None => {
                (Action::Create, format!("unpacked, {:.1} MiB compressed", self.blob.size as f64 / f64::from(1 << 20)))
            }
            Some(marker) if marker.digest != self.blob.sha256 => {
                (Action::Update, "replaced: another build of the same version".to_owned())
            }
            Some(marker) => {
                let damaged = marker.damaged(&cx.machine.root.at(&directory));
                match damaged.map_err(|error| Failure::new(self.title(), error))? {
                    Some(file) => (Action::Update, format!("unpacked again: {file} is missing or was changed")),
                    None => return Ok(Vec::new()),
                }
            }
        };
        Ok(vec![Pending::new(self.title(), action, summary, |cx| self.mend(cx))])
    }
}

impl Component {
    fn mend(&self, cx: &Context) -> Result<(), Failure> {
        let title = self.title();
        let directory = self.directory();
        let target = cx.machine.root.at(&directory);
        cx.make_parents(&title, &target)?;
        let failed = |error| Failure::writing(&title, &error, &target);
        let beside = atomic::beside(&target).map_err(failed)?;
        let result = self.fill(cx, &beside).and_then(|()| {
            let settled = atomic::settle_directory(&beside, &target);
            settled.map_err(|error| Failure::writing(&title, &error, &target))
        });
        if result.is_err() {
            let _ = fs::remove_dir_all(&beside);
        }
        result
    }

    fn fill(&self, cx: &Context, beside: &Path) -> Result<(), Failure> {
        let title = self.title();
        fs::create_dir(beside).map_err(|error| Failure::writing(&title, &error, beside))?;
        let directory = self.directory();
        let prefix = Path::new(directory.trim_start_matches('/'));
        layer::read(&cx.machine, &title, &self.blob, |archive| unpack(&title, archive, prefix, beside))?;
        let mut marker = format!("{}\n", self.blob.sha256);
        let marked = list(beside, Path::new(""), &mut marker).and_then(|()| fs::write(beside.join(MARKER), marker));
        let synced = marked.and_then(|()| atomic::sync_file_system(beside));
        synced.map_err(|error| Failure::writing(&title, &error, beside))
    }
}

/// Size and time of change of one file.
fn entry_line(meta: &fs::Metadata, path: &str) -> String {
    format!("{} {}.{:09} {path}", meta.len(), meta.mtime(), meta.mtime_nsec())
}

/// Adds a line for every file below `root`/`below` to `lines`; paths are relative to `root`.
fn list(root: &Path, below: &Path, lines: &mut String) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &path, lines)?;
        } else {
            lines.push_str(&entry_line(&entry.metadata()?, &path.to_string_lossy()));
            lines.push('\n');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::super::super::blob::sha256;
    use super::super::super::converge::{converge, diff};
    use super::super::super::testing::Scripted;
    use super::*;
    use crate::desired::state::{Part, PartState, Resource};
    use crate::image::Blob;

    fn entry(path: &str, kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_size(content.len() as u64);
        // Not `set_path`, which refuses what a hostile archive would have.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn install(host: &Scripted, entries: &[Vec<u8>]) -> PartState {
        let mut tar = entries.concat();
        tar.resize(tar.len() + 1024, 0);
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.write_all(&tar).unwrap();
        let bytes = encoder.finish().unwrap();
        let blob = Blob { sha256: sha256(&bytes), size: bytes.len() as u64 };
        let path = host.at(&format!("/var/lib/kubewright/blobs/sha256/{}", blob.sha256));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        let component = Component { name: "etcd".into(), version: "3.4".into(), blob };
        PartState { part: Part::Binaries, resources: vec![Resource::Component(component)] }
    }

    const BASE: &str = "opt/kubewright/etcd/3.4";

    fn good(content: &[u8]) -> Vec<Vec<u8>> {
        use tar::EntryType::{Directory, Link, Regular, Symlink};
        vec![
            entry("./opt/", Directory, "", b""),
            entry("opt/kubewright/etcd/3.4/bin", Directory, "", b""),
            entry("opt/kubewright/etcd/3.4/bin/etcd", Regular, "", content),
            entry("opt/kubewright/etcd/3.4/bin/hard", Link, "opt/kubewright/etcd/3.4/bin/etcd", b""),
            entry("opt/kubewright/etcd/3.4/soft", Symlink, "bin/etcd", b""),
            entry("opt/kubewright/etcd/3.4/a/b/soft", Symlink, "../../bin/etcd", b""),
        ]
    }

    #[test]
    fn a_component_is_unpacked_once_and_another_build_replaces_it() {
        let host = Scripted::new();
        let state = [install(&host, &good(b"one"))];
        assert_eq!(diff(&host.machine, &state).unwrap()[0].changes[0].action, Action::Create);
        converge(&host.machine, &state, &mut |_| {}).unwrap();
        assert!(diff(&host.machine, &state).unwrap().is_empty());
        for file in ["bin/etcd", "bin/hard", "soft", "a/b/soft"] {
            assert_eq!(host.get(&format!("/{BASE}/{file}")), "one", "{file}");
        }
        // A program that was truncated or removed is found and comes back.
        for damage in [|path: &Path| fs::write(path, "").unwrap(), |path: &Path| fs::remove_file(path).unwrap()] {
            damage(&host.at(&format!("/{BASE}/bin/etcd")));
            let summary = diff(&host.machine, &state).unwrap()[0].changes[0].summary.clone();
            assert!(summary.contains("bin/"), "{summary}");
            converge(&host.machine, &state, &mut |_| {}).unwrap();
            assert!(diff(&host.machine, &state).unwrap().is_empty());
            assert_eq!(host.get(&format!("/{BASE}/bin/etcd")), "one");
        }
        let mode = fs::metadata(host.at(&format!("/{BASE}/bin/etcd"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "never set-user-id");
        let state = [install(&host, &good(b"two"))];
        assert_eq!(diff(&host.machine, &state).unwrap()[0].changes[0].action, Action::Update);
        converge(&host.machine, &state, &mut |_| {}).unwrap();
        assert_eq!(host.get(&format!("/{BASE}/soft")), "two");
        assert_eq!(fs::read_dir(host.at("/opt/kubewright/etcd")).unwrap().count(), 1, "nothing is left beside");
    }

    #[test]
    fn what_leads_out_of_the_component_is_refused_by_name() {
        use tar::EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
        let inside = |name: &str| format!("{BASE}/{name}");
        let link = |name: &str, to: &str| entry(&inside(name), Symlink, to, b"");
        let file = |name: &str| entry(name, Regular, "", b"x");
        let table = [
            vec![file("etc/passwd")],
            vec![file("/etc/passwd")],
            vec![file("opt/kubewright/etcd/3.4.1/x")],
            vec![file("opt/kubewright/kubelet/3.4/x")],
            vec![file(&inside("../x"))],
            vec![file(&inside("../../../../../tmp/x"))],
            vec![file(BASE)],
            vec![link("out", "/etc")],
            vec![link("out", "..")],
            vec![link("a/out", "../..")],
            vec![link("out", "")],
            // Each of these links is harmless alone; behind a link, `..` starts from somewhere else.
            vec![link("d/up", ".."), link("out", "d/up/../..")],
            vec![link("here", "."), file(&inside("here/x"))],
            vec![link("bin", "sbin"), entry(&inside("bin"), Directory, "", b"")],
            vec![entry(&inside("hard"), Link, "etc/shadow", b"")],
            vec![entry(&inside("hard"), Link, &inside("missing"), b"")],
            vec![link("soft", "x"), entry(&inside("hard"), Link, &inside("soft"), b"")],
            vec![entry(&inside("dev"), Char, "", b"")],
            vec![entry(&inside("dev"), Block, "", b"")],
            vec![entry(&inside("fifo"), Fifo, "", b"")],
        ];
        for entries in table {
            let host = Scripted::new();
            let state = [install(&host, &entries)];
            let failure = converge(&host.machine, &state, &mut |_| {}).unwrap_err();
            assert!(failure.why.starts_with("refused: the entry \""), "{failure}");
            let left: Vec<_> = fs::read_dir(host.at("/opt/kubewright/etcd")).unwrap().collect();
            assert!(left.is_empty(), "{failure}: {left:?}");
        }
    }

    #[test]
    fn a_file_that_comes_twice_and_a_cut_archive_are_errors() {
        let host = Scripted::new();
        let twice = [good(b"one"), good(b"two")].concat();
        assert!(converge(&host.machine, &[install(&host, &twice)], &mut |_| {}).is_err());
        let mut cut = good(&[b'x'; 2000]);
        cut.truncate(3);
        cut[2].truncate(1024);
        assert!(converge(&host.machine, &[install(&host, &cut)], &mut |_| {}).is_err());
        assert!(!host.at(&format!("/{BASE}")).exists());
    }

    #[test]
    fn a_damaged_layer_is_removed_and_a_missing_one_named() {
        let host = Scripted::new();
        let state = [install(&host, &good(b"one"))];
        let Resource::Component(component) = &state[0].resources[0] else { unreachable!() };
        let path = host.at(&format!("/var/lib/kubewright/blobs/sha256/{}", component.blob.sha256));
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let failure = converge(&host.machine, &state, &mut |_| {}).unwrap_err();
        assert!(failure.why.contains("damaged on the host's disk"), "{failure}");
        assert!(!path.exists() && !host.at(&format!("/{BASE}")).exists());
        let failure = converge(&host.machine, &state, &mut |_| {}).unwrap_err();
        assert!(failure.why.contains("not on the host") && failure.what.contains(&component.blob.sha256));
    }
}
