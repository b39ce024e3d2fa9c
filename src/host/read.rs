//! Reads files for the installer, secrets among them: "not there" is an answer, "could not be read" a failure.

use std::collections::BTreeMap;

use super::machine::Machine;
use super::protocol::Failure;

/// Content by path; all unreadable files are told at once.
pub(super) fn read(machine: &Machine, paths: &[String]) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let (mut files, mut failures) = (BTreeMap::new(), Vec::new());
    for path in paths {
        match machine.text(path) {
            Ok(content) => drop(files.insert(path.clone(), content)),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(files), Err)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::*;

    #[test]
    fn missing_is_an_answer_and_unreadable_a_failure() {
        let host = Scripted::new();
        host.put("/etc/kubernetes/pki/ca.crt", "PEM");
        let paths = ["/etc/kubernetes/pki/ca.crt".to_owned(), "/etc/kubernetes/pki/ca.key".to_owned()];
        let files = read(&host.machine, &paths).unwrap();
        assert_eq!(files[&paths[0]].as_deref(), Some("PEM"));
        assert_eq!(files[&paths[1]], None);
        let failure = read(&host.machine, &["/etc".into(), "/etc/kubernetes".into()]).unwrap_err();
        assert!(failure.why.contains("reading /etc:") && failure.why.contains("reading /etc/kubernetes:"));
    }
}
