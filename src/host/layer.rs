//! A layer of the cluster image in the host's store: a tar archive compressed with zstd. It is read once, from end
//! to end, and verified on the way.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::sync::PoisonError;

use super::blob::{self, HashReader};
use super::machine::Machine;
use super::protocol::Failure;
use crate::image::Blob;

/// The decompressed layer as an archive.
pub(super) type Archive<'a> = tar::Archive<&'a mut dyn Read>;

/// Lets `work` read the layer. Only when all of its bytes have the right digest is what `work` returned worth
/// anything; a damaged layer is removed, so that the next run sends it again.
pub(super) fn read<T>(
    machine: &Machine,
    what: &str,
    blob: &Blob,
    work: impl FnOnce(&mut Archive) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let path = blob::path(machine, blob)?;
    let name = format!("{what}: layer sha256:{}", blob.sha256);
    let file = File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(&name, "it is not on the host")
            .hint("run the same command again: layers are sent before anything is changed"),
        _ => Failure::new(&name, error),
    })?;
    let failed = |error| Failure::new(&name, error);
    let hashing = BufReader::with_capacity(256 << 10, HashReader::new(file));
    // A decoder whose last user panicked begins anew, too.
    let mut context = machine.decoder.lock().unwrap_or_else(PoisonError::into_inner);
    let mut decoder = zstd::Decoder::with_context(hashing, &mut context);
    let result = work(&mut Archive::new(&mut decoder));
    // What is buffered has been hashed already.
    let digest = decoder.finish().into_inner().digest().map_err(failed)?;
    if digest != blob.sha256 {
        let _ = fs::remove_file(&path);
        let why = format!("it is damaged on the host's disk: its bytes are sha256:{digest}; it was removed");
        return Err(Failure::new(name, why).hint("run again, which sends it again; check the disk"));
    }
    result
}

/// An error within an archive whose digest is right: the image was built wrongly.
pub(super) fn malformed(what: &str, error: &io::Error) -> Failure {
    Failure::new(what, format!("the layer cannot be read: {error}")).hint("build the cluster image again")
}
