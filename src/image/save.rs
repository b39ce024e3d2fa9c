//! Writes an image into one file, which is an OCI archive and what `docker load` reads at the same time.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde_json::json;

use super::document::{self, Document};
use super::locate::Located;
use super::oci::{self, Descriptor, Index};
use super::tree::{self, Tree, Variants};
use super::{Architecture, Blob, ImageError, Location, digest, signature};

/// Writes the image, all of its variants and signatures, to `file`, at once or not at all. Every layer is verified on
/// the way. Tells whether there were signatures.
pub(super) fn write(located: &Located, source: &Location, file: &Path) -> Result<bool, ImageError> {
    let image = located.tree(Variants::All)?;
    let mut top = image.top.clone();
    let name = match source {
        Location::Registry(reference) => {
            top.annotations.insert(oci::CONTAINERD_NAME.to_owned(), reference.to_string());
            reference.tag.clone()
        }
        _ => located.top.annotations.get(oci::TAG).cloned(),
    };
    top.annotations.extend(name.map(|tag| (oci::TAG.to_owned(), tag)));
    let mut trees = vec![image];
    let mut manifests = vec![top.clone()];
    let tag = signature::tag(located.sha256());
    if let Some(artifact) = located.layout.get(&tag)? {
        manifests.push(artifact.clone());
        trees.push(Tree::read(&located.layout.blobs, &located.reference, &artifact, Variants::All)?);
    }
    let signed = trees.len() > 1;
    let docker = docker_manifest(located, &top)?;
    let failed = ImageError::io("write", file);
    pack(located, &trees, &Index::new(manifests), &docker, file).map_err(failed)?;
    Ok(signed)
}

/// The file `manifest.json`: the variant for this machine, because docker's format has no others.
fn docker_manifest(located: &Located, top: &Descriptor) -> Result<Vec<u8>, ImageError> {
    let (blobs, reference) = (&located.layout.blobs, &located.reference);
    let read = |descriptor| -> Result<Document, ImageError> {
        let bytes = tree::document(blobs, reference, "the manifest", descriptor)?;
        document::parse(&bytes).map_err(|reason| tree::unsuitable(reference, reason))
    };
    let manifest = match read(top)? {
        Document::Manifest(manifest) => Some(manifest),
        Document::Index(index) => {
            let own = Architecture::own().and_then(|own| document::variant(&index, own).ok());
            match own.or(index.manifests.first()).map(read).transpose()? {
                Some(Document::Manifest(manifest)) => Some(manifest),
                _ => None,
            }
        }
    };
    let Some(manifest) = manifest else { return Ok(b"[]".to_vec()) };
    let path = |descriptor: &Descriptor| format!("blobs/{}", descriptor.digest.replace(':', "/"));
    let layers: Vec<_> = manifest.layers.iter().map(path).collect();
    let names: Vec<_> = top.annotations.get(oci::CONTAINERD_NAME).into_iter().collect();
    let entry = json!({"Config": path(&manifest.config), "RepoTags": names, "Layers": layers});
    Ok(json!([entry]).to_string().into_bytes())
}

/// A device would be replaced by a file, and a link as well.
fn replaceable(file: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(file) {
        Ok(meta) if !meta.is_file() => Err(io::Error::other("it is no regular file; an image is saved into one")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn pack(located: &Located, trees: &[Tree], index: &Index, docker: &[u8], file: &Path) -> io::Result<()> {
    replaceable(file)?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(".kubewright-").tempfile_in(directory)?;
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, scratch));
    append(&mut tar, "oci-layout", oci::LAYOUT.len() as u64, oci::LAYOUT.as_bytes())?;
    let index = serde_json::to_vec(index)?;
    append(&mut tar, "index.json", index.len() as u64, &index[..])?;
    append(&mut tar, "manifest.json", docker.len() as u64, docker)?;
    for part in trees.iter().flat_map(|tree| &tree.parts) {
        let path = located.layout.blobs.path(&part.blob.sha256);
        let mut reading = Verifying::new(File::open(&path)?);
        append(&mut tar, &format!("blobs/sha256/{}", part.blob.sha256), part.blob.size, &mut reading)?;
        let actual = reading.finish()?;
        if actual != part.blob {
            return Err(io::Error::other(format!("{} is damaged: {}", part.what, path.display())));
        }
    }
    let mut buffer = tar.into_inner()?;
    buffer.flush()?;
    let scratch = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    scratch.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    scratch.as_file().sync_all()?;
    scratch.persist(file)?;
    File::open(directory)?.sync_all()
}

/// A file that is the same whenever and by whomever it is written.
fn append(tar: &mut tar::Builder<impl Write>, name: &str, size: u64, content: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    tar.append_data(&mut header, name, content)
}

/// Hashes what is read through it.
struct Verifying<R> {
    inner: R,
    hash: digest::Hashing<io::Sink>,
}

impl<R: Read> Verifying<R> {
    fn new(inner: R) -> Self {
        Self { inner, hash: digest::Hashing::new(io::sink()) }
    }

    /// What was read, and what is left.
    fn finish(mut self) -> io::Result<Blob> {
        io::copy(&mut self.inner, &mut self.hash)?;
        Ok(self.hash.finish().1)
    }
}

impl<R: Read> Read for Verifying<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.write_all(&buffer[..count])?;
        Ok(count)
    }
}
