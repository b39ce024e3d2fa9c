//! Layers: tar, compressed with zstd.

use std::io::{self, Read, Write};

use crate::image::blobs::Blobs;
use crate::image::digest::Hashing;
use crate::image::{Blob, ComponentKind};
use serde::{Deserialize, Serialize};

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Programs and libraries.
    Thorough,
    /// Layers of container images.
    Narrow,
    /// What is compressed inside already.
    Minimal,
}

impl Compression {
    /// Of the levels measured on the programs of Kubernetes, 9 is where more time stops to pay: 3 is 10 % larger, and 19
    /// is 12 % smaller but takes thirty times as long.
    fn level(self) -> i32 {
        match self {
            Self::Thorough | Self::Narrow => 9,
            Self::Minimal => 1,
        }
    }
}

/// Programs of one project share much code, farther apart than zstd looks by itself: with a window of 32 MiB, etcd with
/// its two clients shrinks by another fifth. Readers need as much memory. Layers of container images hold one program
/// each, gain nothing, and are read by containerd, which would touch that memory anew for every one.
const WINDOW_LOG: u32 = 25;

/// A layer that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// The compressed bytes.
    pub(super) blob: Blob,
    /// Digest of the tar.
    pub(super) diff_id: String,
}

/// Compresses and stores what `fill` writes.
pub(super) fn write(
    blobs: &Blobs,
    compression: Compression,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Layer> {
    let (blob, tar) = blobs.write(|out| {
        let mut encoder = zstd::Encoder::new(out, compression.level())?;
        if compression == Compression::Thorough {
            encoder.long_distance_matching(true)?;
            encoder.window_log(WINDOW_LOG)?;
        }
        let mut hashing = Hashing::new(encoder);
        fill(&mut hashing)?;
        // A flush ends a block: with one here, it does not matter whether whoever filled the layer has flushed.
        hashing.flush()?;
        let (encoder, tar) = hashing.finish();
        encoder.finish()?;
        Ok(tar)
    })?;
    Ok(Layer { blob, diff_id: tar.sha256 })
}

/// Compresses and stores the layer `tar` of a component of this kind as a build does.
pub(in crate::image) fn pack_again(blobs: &Blobs, kind: &ComponentKind, mut tar: impl Read) -> io::Result<Blob> {
    let compression = match kind {
        ComponentKind::Files | ComponentKind::Manifests | ComponentKind::Program => Compression::Thorough,
        ComponentKind::Images(_) => Compression::Minimal,
    };
    write(blobs, compression, |out| io::copy(&mut tar, out).map(|_| ())).map(|layer| layer.blob)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest;

    #[test]
    fn a_layer_names_both_its_digests() {
        let root = tempfile::tempdir().unwrap();
        let blobs = Blobs::create(root.path()).unwrap();
        for compression in [Compression::Thorough, Compression::Narrow, Compression::Minimal] {
            let layer = write(&blobs, compression, |out| out.write_all(&[7; 100_000])).unwrap();
            let bytes = std::fs::read(blobs.path(&layer.blob.sha256)).unwrap();
            assert_eq!(digest::of_bytes(&bytes), layer.blob.sha256);
            assert_eq!(bytes.len() as u64, layer.blob.size);
            assert_eq!(zstd::decode_all(&bytes[..]).unwrap(), [7; 100_000]);
            assert_eq!(layer.diff_id, digest::of_bytes(&[7; 100_000]));
        }
    }
}
