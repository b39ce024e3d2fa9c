//! The door to the files of other tools. It reads what their own programs would read, and nothing else.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Error, File};

/// Largest file that is read.
const LIMIT: u64 = 64 << 20;

/// How names of documents end.
pub(in crate::migrate) const ENDINGS: [&str; 3] = ["yml", "yaml", "json"];

/// What kubespray's inventories are called, the usual one first.
const INVENTORIES: [&str; 8] =
    ["inventory.ini", "hosts.ini", "hosts.yaml", "hosts.yml", "inventory.yaml", "inventory.yml", "hosts", "inventory"];

/// The inventory at `path`, which comes first, and the variables beside it.
pub(in crate::migrate) fn kubespray(path: &Path) -> Result<Vec<File>, Error> {
    let inventory = if is_directory(path)? { inventory_in(path)? } else { path.to_owned() };
    let directory = inventory.parent().unwrap_or(Path::new("")).to_owned();
    let mut found = vec![file(&inventory)?];
    for below in ["group_vars", "host_vars"] {
        let below = directory.join(below);
        if below.is_dir() {
            found.extend(variables(&below)?);
        }
    }
    Ok(found)
}

fn inventory_in(directory: &Path) -> Result<PathBuf, Error> {
    let there: Vec<&str> = INVENTORIES.into_iter().filter(|name| directory.join(name).is_file()).collect();
    match there.as_slice() {
        [one] => Ok(directory.join(one)),
        [] => Err(Error::Unsuitable(format!(
            "{} has no inventory of kubespray: none of {}; name the file itself",
            directory.display(),
            INVENTORIES.join(", ")
        ))),
        several => Err(Error::Unsuitable(format!(
            "{} has several inventories: {}; name one of them, such as kubespray:{}",
            directory.display(),
            several.join(", "),
            directory.join(several[0]).display()
        ))),
    }
}

/// Every file with variables below `directory`, in the order of their paths, which is that in which Ansible reads them.
fn variables(directory: &Path) -> Result<Vec<File>, Error> {
    let mut found = Vec::new();
    for path in listed(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // As Ansible has it: neither hidden files nor backups of editors.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            found.extend(variables(&path)?);
        } else if path.extension().is_none() || is_document(&path) {
            found.push(file(&path)?);
        }
    }
    Ok(found)
}

fn is_directory(path: &Path) -> Result<bool, Error> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(metadata.is_dir())
}

fn listed(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let error = |source| Error::Read { path: directory.to_owned(), source };
    let entries = std::fs::read_dir(directory).map_err(error)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(error)?;
    paths.sort();
    Ok(paths)
}

/// Whether the name of a file says that it is YAML or JSON, in whatever case.
fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// Every document in a directory.
pub(in crate::migrate) fn documents(directory: &Path) -> Result<Vec<File>, Error> {
    let found: Result<Vec<File>, Error> =
        listed(directory)?.iter().filter(|path| is_document(path) && path.is_file()).map(|path| file(path)).collect();
    let found = found?;
    if found.is_empty() {
        let what = "has no documents: put there what `kubectl get nodes -o yaml`, `kubectl -n kube-system get configmaps,daemonsets \
                    -o yaml` print, as .yaml";
        return Err(Error::Unsuitable(format!("{} {what}", directory.display())));
    }
    Ok(found)
}

/// One file.
pub(in crate::migrate) fn file(path: &Path) -> Result<File, Error> {
    let error = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(error)?.take(LIMIT + 1).read_to_end(&mut bytes).map_err(error)?;
    let unsuitable = |what: &str| Error::Unsuitable(format!("{} {what}; is it the right file?", path.display()));
    if bytes.len() as u64 > LIMIT {
        return Err(unsuitable("is larger than 64 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| unsuitable("is not UTF-8"))?;
    Ok(File { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_known_by_the_end_of_their_names_in_whatever_case() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["Z.YAML", "a.yml", "b.Json", "c.yaml.bak", "README.md", "plain"] {
            std::fs::write(directory.path().join(name), "a: b\n").unwrap();
        }
        let names = |files: Vec<File>| -> Vec<String> {
            files.iter().filter_map(|file| file.name.rsplit('/').next().map(str::to_owned)).collect()
        };
        assert_eq!(names(documents(directory.path()).unwrap()), ["Z.YAML", "a.yml", "b.Json"]);
        assert_eq!(names(variables(directory.path()).unwrap()), ["Z.YAML", "a.yml", "b.Json", "plain"]);
    }
}
