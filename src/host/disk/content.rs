//! What is on a device, read from the device itself: nothing at all, a file system of ours, or something of somebody's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::Device;
use crate::cluster::Filesystem;

/// What is read at either end. Every partition table and signature that `wipefs` knows lies in there.
const END: u64 = 4 << 20;
/// What is known by where its magic stands. Those that may stand beside others come last.
const SIGNATURES: [(usize, &[u8], &str); 17] = [
    (0, b"XFSB", "an XFS file system"),
    (0x438, b"\x53\xef", "an ext2, ext3 or ext4 file system"),
    (0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    (3, b"NTFS    ", "an NTFS file system"),
    (0x36, b"FAT1", "a FAT file system"),
    (0x52, b"FAT32", "a FAT file system"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (0x200, b"LABELONE", "a physical volume of LVM"),
    (0, b"LABELONE", "a physical volume of LVM"),
    (4096, b"\xfc\x4e\x2b\xa9", "a member of a RAID"),
    (0, b"\xfc\x4e\x2b\xa9", "a member of a RAID"),
    (0, b"bluestore block device", "a Ceph OSD"),
    (0xff6, b"SWAPSPACE2", "a swap area"),
    (0xff6, b"SWAP-SPACE", "a swap area"),
    (512, b"EFI PART", "a GPT partition table"),
    (4096, b"EFI PART", "a GPT partition table"),
    (510, b"\x55\xaa", "an MBR partition table or a boot sector"),
];

/// A file system that a data disk may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Found {
    /// Its kind; every version of ext is taken for ext4.
    pub(in crate::host) kind: Filesystem,
    /// Its UUID.
    pub(in crate::host) uuid: String,
    /// Whether whoever made it came to the end.
    pub(in crate::host) complete: bool,
}

/// The file system on `device`, where it is one that a data disk may have.
pub(in crate::host) fn file_system(machine: &Machine, device: &Device) -> Result<Option<Found>, Failure> {
    let start = read(machine, device, 0, 4096)?;
    let at = |offset: usize, length: usize| start.get(offset..offset + length).unwrap_or_default();
    if at(0, 4) == b"XFSB" {
        // sb_inprogress: mkfs.xfs clears it last.
        let complete = at(126, 1) == [0];
        return Ok(Some(Found { kind: Filesystem::Xfs, uuid: uuid(at(32, 16)), complete }));
    }
    if at(0x438, 2) == b"\x53\xef" {
        return Ok(Some(Found { kind: Filesystem::Ext4, uuid: uuid(at(0x468, 16)), complete: true }));
    }
    Ok(None)
}

fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// What is on `device`, in words that follow "holds"; `None` when both of its ends are zero.
pub(in crate::host) fn what_is_on(machine: &Machine, device: &Device) -> Result<Option<String>, Failure> {
    let start = start(machine, device)?;
    if let Some(what) = signature(machine, device, &start)? {
        return Ok(Some(what));
    }
    let data = |offset: u64| Some(format!("data: the byte at offset {offset} is not zero"));
    if let Some(offset) = start.iter().position(|byte| *byte != 0) {
        return Ok(data(offset as u64));
    }
    let from = device.size.saturating_sub(END).max(start.len() as u64);
    let end = read(machine, device, from, device.size - from)?;
    Ok(end.iter().position(|byte| *byte != 0).and_then(|offset| data(from + offset as u64)))
}

/// What is on `device` that cannot come from making the file system with `uuid`: a file system that somebody has made
/// since, a partition table, a volume group.
pub(super) fn of_others(machine: &Machine, device: &Device, uuid: &str) -> Result<Option<String>, Failure> {
    if file_system(machine, device)?.is_some_and(|found| found.uuid == uuid) {
        return Ok(None);
    }
    signature(machine, device, &start(machine, device)?)
}

/// Whether `device` has the label of LVM. Where, depends on who has written it: in one of the first four sectors.
pub(super) fn is_physical_volume(machine: &Machine, device: &Device) -> Result<bool, Failure> {
    let start = start(machine, device)?;
    Ok((0..4).any(|sector| start.get(sector * 512..sector * 512 + 8) == Some(&b"LABELONE"[..])))
}

fn start(machine: &Machine, device: &Device) -> Result<Vec<u8>, Failure> {
    if device.size == 0 {
        return Err(Failure::new(format!("reading {}", device.path()), "the kernel says that its size is 0"));
    }
    read(machine, device, 0, END.min(device.size))
}

fn signature(machine: &Machine, device: &Device, start: &[u8]) -> Result<Option<String>, Failure> {
    let stands = |(offset, magic, _): &&(usize, &[u8], &str)| start.get(*offset..*offset + magic.len()) == Some(*magic);
    let Some((_, _, what)) = SIGNATURES.iter().find(stands) else { return Ok(None) };
    let uuid = file_system(machine, device)?.map(|found| format!(" with the UUID {}", found.uuid));
    Ok(Some(format!("{what}{}", uuid.unwrap_or_default())))
}

fn read(machine: &Machine, device: &Device, from: u64, length: u64) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = open(machine, device)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = vec![0; usize::try_from(length.min(device.size)).map_err(io::Error::other)?];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| {
        Failure::new(format!("reading {}", device.path()), error)
            .hint("a disk that cannot be read is not used; see `dmesg` on the host")
    })
}

fn open(machine: &Machine, device: &Device) -> io::Result<File> {
    use std::os::unix::fs::FileTypeExt;
    let file = File::open(machine.root.at(device.path()))?;
    if machine.root.is_live() && !file.metadata()?.file_type().is_block_device() {
        return Err(io::Error::other("it is not a block device"));
    }
    Ok(file)
}

/// Has everything written to `device` reach it.
pub(in crate::host) fn sync(machine: &Machine, device: &Device) -> Result<(), Failure> {
    let synced = open(machine, device).and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::new(format!("syncing {}", device.path()), error))
}
