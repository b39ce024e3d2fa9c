//! The disk that all hosts of a release start from: made once, kept in the cache, never changed.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::recipe::{self, Recipe};
use super::uml::Uml;
use super::{LabError, Places, Progress, command, files, mirror, mounts};

/// The image of `release`, made now unless it is there.
pub(super) fn ensure(
    places: &Places,
    release: &str,
    kernel: &Uml,
    progress: Progress<'_>,
) -> Result<PathBuf, LabError> {
    let recipe = Recipe::new(release, &kernel.modules)?;
    let directory = places.base_images();
    let image = directory.join(recipe.file_name());
    if image.is_file() {
        return Ok(image);
    }
    files::make_directory(&directory)?;
    // Labs that start at the same time need the same image: one makes it, the others wait.
    let _lock = files::lock(&directory.join("lock"))?;
    if !image.is_file() {
        progress(&format!("making the base image {} (once; about a minute)", image.display()));
        mounts::in_own_namespace(|| build(&recipe, kernel, &image))??;
    }
    Ok(image)
}

/// Mounts that mmdebstrap makes in the new root go with the mount namespace, even if it is killed; so removing a root
/// that an earlier attempt has left behind can never reach into this machine's /dev or /proc.
fn build(recipe: &Recipe, kernel: &Uml, image: &Path) -> Result<(), LabError> {
    remove_leftovers(image);
    // A name of its own: what a killed attempt started may still be writing.
    let work = image.with_extension(format!("{}.part", std::process::id()));
    files::make_directory(&work)?;
    recipe.write_scripts(&work)?;
    let root = work.join("root");
    let log = image.with_extension("log");
    files::write(&log, "", 0o644)?;
    let mut bootstrap = command::new("mmdebstrap");
    bootstrap
        .env("LAB_MODULES", &kernel.modules)
        .args(["--variant=minbase", &format!("--include={}", recipe::PACKAGES)])
        .args(["doc", "man", "info", "locale"].map(|part| format!("--dpkgopt=path-exclude=/usr/share/{part}/*")))
        .arg(format!("--customize-hook={}", work.join("customize.sh").display()))
        .arg(&recipe.release)
        .arg(&root)
        .args(mirror::find(&recipe.release));
    logged(&mut bootstrap, &log)?;

    let disk = work.join("disk");
    let mut make = command::new("mke2fs");
    // Everything is initialised now: done later, each host would do it for itself.
    make.args(["-q", "-t", "ext4", "-m", "1", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d"]);
    make.arg(&root).arg(&disk).arg(recipe::DISK);
    logged(&mut make, &log)?;
    fs::rename(&disk, image).map_err(LabError::file("move into place", image))?;
    fs::remove_dir_all(&work).map_err(LabError::file("remove", &work))
}

/// Removes what killed attempts have left; whatever cannot be removed only takes space.
fn remove_leftovers(image: &Path) {
    let stem = image.file_stem().unwrap_or_default().to_string_lossy();
    for entry in image.parent().and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(stem.as_ref()) && name.ends_with(".part") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs a command that talks much: its words go to a log, whose end is shown when it fails.
fn logged(command: &mut std::process::Command, log: &Path) -> Result<(), LabError> {
    let file = OpenOptions::new().append(true).open(log).map_err(LabError::file("write", log))?;
    let both = file.try_clone().map_err(LabError::file("write", log))?;
    let argv = command::argv(command);
    let status = command.stdin(std::process::Stdio::null()).stdout(file).stderr(both).status();
    match status {
        Err(source) => Err(LabError::Start { argv, source }),
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(LabError::Failed {
            argv,
            status: status.to_string(),
            stderr: format!("{}\n(all of it is in {})", command::tail(&files::end_of(log, 0), 20), log.display()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_one_image_are_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["base-a-1.77.part", "base-a-2.77.part", "base-a-1.log"] {
            fs::create_dir_all(path(name).join("root/etc")).unwrap();
        }
        remove_leftovers(&path("base-a-1.img"));
        assert!(!path("base-a-1.77.part").exists());
        assert!(path("base-a-2.77.part").exists() && path("base-a-1.log").exists());
    }

    #[test]
    fn a_failing_command_shows_the_end_of_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        files::write(&log, "before\n", 0o600).unwrap();
        let error = logged(command::new("ls").arg("/nowhere/at/all"), &log).unwrap_err().to_string();
        assert!(error.contains("No such file") && error.contains(log.to_str().unwrap()), "{error}");
        assert!(fs::read_to_string(&log).unwrap().starts_with("before\n"));
    }
}
