//! Completion: shells ask this program itself, so that it can name the hosts of the inventory.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap_complete::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};

use crate::inventory;
use crate::lab::{Lab, Places};

/// The variable by which a shell asks.
const VARIABLE: &str = "COMPLETE";

/// Answers a shell that asks for completions, and ends then; does nothing otherwise.
pub(in crate::cli) fn complete() {
    if std::env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(super::grammar).var(VARIABLE).complete();
    }
}

/// The script by which `shell` asks; none for a shell that is not known.
pub(in crate::cli) fn registration(shell: &str) -> Option<String> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell)?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "kubewright", "kubewright", "kubewright", &mut script).ok()?;
    String::from_utf8(script).ok()
}

/// Hosts of the inventory that the line, or the environment, names.
pub(in crate::cli) fn hosts_of_inventory(begun: &OsStr) -> Vec<CompletionCandidate> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let named = value_of(&line, &["-i", "--inventory"]).or_else(|| std::env::var_os("KUBEWRIGHT_INVENTORY"));
    let Some(path) = named.map(PathBuf::from).filter(|path| path != Path::new("-")) else { return Vec::new() };
    let Ok(cluster) = inventory::load(&path) else { return Vec::new() };
    candidates(begun, cluster.hosts.iter().map(|host| host.name.to_string()))
}

/// Hosts of the lab that the line, or the environment, names.
pub(in crate::cli) fn hosts_of_lab(begun: &OsStr) -> Vec<CompletionCandidate> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let named = value_of(&line, &["--name"]).or_else(|| std::env::var_os("KUBEWRIGHT_LAB"));
    let name = named.map_or_else(|| "lab".to_owned(), |name| name.to_string_lossy().into_owned());
    let lab = || Lab::open(&Places::from_environment().ok()?, &name.parse().ok()?).ok();
    lab().map(|lab| candidates(begun, lab.hosts().iter().map(|host| host.name.clone()))).unwrap_or_default()
}

fn candidates(begun: &OsStr, hosts: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    // `ops@m1` is a host, too, where a login may be named.
    let (user, begun) =
        begun.rsplit_once('@').map_or((String::new(), &*begun), |(user, host)| (format!("{user}@"), host));
    hosts.filter(|host| host.starts_with(begun)).map(|host| CompletionCandidate::new(format!("{user}{host}"))).collect()
}

/// The value that a flag has on the line: `-i FILE`, `-iFILE`, `--inventory FILE`, `--inventory=FILE`.
fn value_of(line: &[OsString], names: &[&str]) -> Option<OsString> {
    line.iter().enumerate().find_map(|(index, word)| {
        let word = word.to_str()?;
        let name = names.iter().find(|name| word.starts_with(**name))?;
        match word.strip_prefix(name)? {
            "" => line.get(index + 1).cloned(),
            rest if name.starts_with("--") => rest.strip_prefix('=').map(OsString::from),
            rest => Some(rest.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_found_however_it_is_written() {
        for line in ["-i a.yaml", "-ia.yaml", "--inventory a.yaml", "--inventory=a.yaml"] {
            let words: Vec<OsString> =
                format!("kubewright etcd replace {line} m").split(' ').map(OsString::from).collect();
            assert_eq!(value_of(&words, &["-i", "--inventory"]).unwrap(), "a.yaml", "{line}");
        }
        assert_eq!(value_of(&["--inventoryx=b".into()], &["--inventory"]), None);
    }

    #[test]
    fn hosts_are_completed_behind_a_login() {
        let hosts = || ["m1", "m2", "n1"].into_iter().map(str::to_owned);
        let found = |begun: &str| -> Vec<String> {
            candidates(OsStr::new(begun), hosts())
                .iter()
                .map(|c| c.get_value().to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(found("m"), ["m1", "m2"]);
        assert_eq!(found("ops@n"), ["ops@n1"]);
        assert!(found("x").is_empty());
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in ["bash", "zsh", "fish"] {
            assert!(registration(shell).unwrap().contains("COMPLETE"), "{shell}");
        }
    }
}
