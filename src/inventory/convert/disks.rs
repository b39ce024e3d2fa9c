//! Data disks.

use crate::cluster::{DataDisk, DeviceRule, DiskLayout, DiskUse, Roles, SizeRule, Snapshotter, ThinPool};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecDisk;
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::Context;

/// Converts a section `disks`. An entry that is wrong is left out.
pub(super) fn convert(specs: &[SpecDisk], path: &Path, context: &mut Context<'_>) -> Vec<DataDisk> {
    let mut disks = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let path = path.index(index);
        let device = device(spec, &path, context);
        let layout = layout(spec, &path, context);
        let (Some(device), Some(layout), Some(purpose)) = (device, layout, spec.r#for) else { continue };
        let filesystem = spec.filesystem.unwrap_or(purpose.default_filesystem());
        disks.push(DataDisk { purpose, device, layout, filesystem });
    }
    disks
}

/// What a host has: its own, and those of the cluster for uses that it has and says nothing about.
pub(super) fn merged(common: &[DataDisk], own: &[DataDisk], roles: &Roles) -> Vec<DataDisk> {
    let said = |disk: &&DataDisk| own.iter().any(|one| one.purpose == disk.purpose);
    let common = common.iter().filter(|disk| disk.purpose.suits(roles) && !said(disk));
    let mut disks: Vec<DataDisk> = common.chain(own).cloned().collect();
    // In the order in which they are mounted.
    disks.sort_by_key(|disk| disk.purpose);
    disks
}

fn layout(spec: &SpecDisk, path: &Path, context: &mut Context<'_>) -> Option<DiskLayout> {
    let (lvm, place) = (spec.lvm == Some(true), path.key("snapshotter"));
    if spec.snapshotter.is_some() && spec.r#for.is_some_and(|purpose| purpose != DiskUse::Containerd) {
        let fault = Fault::new("`snapshotter` goes with `for: containerd` only", "remove it");
        context.key_fault(&place, fault);
        return None;
    }
    if spec.snapshotter != Some(Snapshotter::Devmapper) {
        if spec.base_image_size.is_some() {
            let fault = Fault::new("`baseImageSize` goes with `snapshotter: devmapper` only", "remove it");
            context.key_fault(&path.key("baseImageSize"), fault);
            return None;
        }
        return Some(if lvm { DiskLayout::Lvm } else { DiskLayout::Plain });
    }
    if !lvm {
        let fault = Fault::new("devmapper takes its volumes from a thin pool of LVM", "add `lvm: true`");
        context.key_fault(&place, fault);
        return None;
    }
    let base_image_size = match &spec.base_image_size {
        None => ThinPool::DEFAULT_BASE_IMAGE_SIZE,
        Some(text) => context.take(&path.key("baseImageSize"), base_image_size(text))?,
    };
    Some(DiskLayout::ThinPool(ThinPool { base_image_size }))
}

fn base_image_size(text: &str) -> Result<u64, Fault> {
    let size = units::size(text)?;
    if size < ThinPool::LEAST_BASE_IMAGE_SIZE {
        return Err(Fault::new(format!("{text:?} is too small for images"), "write at least 1GiB"));
    }
    Ok(size)
}

fn device(spec: &SpecDisk, path: &Path, context: &mut Context<'_>) -> Option<DeviceRule> {
    match (&spec.device, &spec.size) {
        (Some(_), Some(_)) => {
            let fault = Fault::new("`device` and `size` both say which disk is meant", "keep one of the two");
            context.key_fault(&path.key("size"), fault);
            None
        }
        (None, None) => {
            let hint = "add `device: /dev/disk/by-id/…` or `size: \">=500GiB\"`";
            context.fault(path, Fault::new("nothing says which disk is meant", hint));
            None
        }
        (Some(device), None) => {
            if spec.rotational.is_some() {
                let fault = Fault::new("`rotational` goes with `size` only", "remove it: `device` names one disk");
                context.key_fault(&path.key("rotational"), fault);
            }
            context.take(&path.key("device"), device_path(device)).map(DeviceRule::Path)
        }
        (None, Some(size)) => {
            let (least, most) = context.take(&path.key("size"), sizes(size))?;
            Some(DeviceRule::Size(SizeRule { least, most, rotational: spec.rotational }))
        }
    }
}

fn device_path(text: &str) -> Result<String, Fault> {
    let good = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '+' | '=' | '#' | '@' | '\\'))
    };
    match text.strip_prefix("/dev/") {
        Some(rest) if rest.split('/').all(good) => Ok(text.to_owned()),
        _ => Err(Fault::new(
            format!("{text:?} is not the path of a device"),
            "write it as `ls -l /dev/disk/by-id` shows it, such as /dev/disk/by-id/nvme-eui.0025388b01",
        )),
    }
}

/// Least and most size, ends included.
fn sizes(text: &str) -> Result<(u64, u64), Fault> {
    let wrong = || {
        let hint = "write \">=500GiB\", \"<=2TiB\" or 400GiB..600GiB; the units are B, KiB, MiB, GiB and TiB";
        Fault::new(format!("{text:?} is not a rule for sizes"), hint)
    };
    let size = |text: &str| units::size(text.trim()).map_err(|_| wrong());
    let (least, most) = if let Some(least) = text.strip_prefix(">=") {
        (size(least)?, u64::MAX)
    } else if let Some(most) = text.strip_prefix("<=") {
        (0, size(most)?)
    } else {
        let (least, most) = text.split_once("..").ok_or_else(wrong)?;
        (size(least)?, size(most)?)
    };
    if least > most {
        return Err(Fault::new(format!("{text:?} takes no disk at all"), "write the smaller size first"));
    }
    Ok((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounds() {
        let gib = 1 << 30;
        for (text, least, most) in [
            (">=500GiB", 500 * gib, u64::MAX),
            ("<= 2TiB", 0, 2048 * gib),
            ("400GiB..600GiB", 400 * gib, 600 * gib),
            ("8GiB..8GiB", 8 * gib, 8 * gib),
        ] {
            assert_eq!(sizes(text), Ok((least, most)), "{text}");
        }
        for bad in ["", "500GiB", ">500GiB", ">=", ">=500GB", "6GiB..4GiB", "1GiB..2GiB..3GiB", ">=-1GiB"] {
            assert!(sizes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn devices_are_below_dev() {
        for good in ["/dev/vdb", "/dev/disk/by-id/nvme-eui.0025388b01", "/dev/mapper/mpatha", "/dev/cciss/c0d1"] {
            assert!(device_path(good).is_ok(), "{good}");
        }
        for bad in ["vdb", "/dev/", "/dev", "/dev/../etc/passwd", "/dev/a b", "/dev//vdb", "/etc/passwd", "/dev/vdb,rw"]
        {
            assert!(device_path(bad).is_err(), "{bad}");
        }
    }
}
