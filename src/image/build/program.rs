//! The component that makes the image run as a container: this program, and what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::component::Gathered;
use super::error::{ProgramError, SourceError};
use super::inputs::Inputs;
use super::tree::Tree;
use crate::image::Architecture;
use crate::image::oci::Execution;
use crate::image::spec::{Content, Mode, PROGRAM, PinnedComponent};

/// Where the program is in the image.
const PATH: &str = "usr/local/bin/kubewright";
/// Where TLS looks for certificate authorities; an operator's own are mounted over it.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Machine in the header of an ELF file, by architecture.
const MACHINES: [(u16, Architecture); 2] = [(62, Architecture::Amd64), (183, Architecture::Arm64)];

/// How the image is run.
pub(super) fn execution() -> Execution {
    let env = ["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
    Execution {
        env: Some(env.map(str::to_owned).into()),
        entrypoint: Some(vec![format!("/{PATH}")]),
        working_dir: Some("/root".to_owned()),
        ..Execution::default()
    }
}

/// The program for each of `architectures`: as `given`, or for its own the one that runs now.
pub(super) fn find(
    architectures: &BTreeSet<Architecture>,
    given: &BTreeMap<Architecture, PathBuf>,
) -> Result<BTreeMap<Architecture, PathBuf>, Vec<ProgramError>> {
    let own = Architecture::own().zip(std::env::current_exe().ok());
    let mut failures = Vec::new();
    let mut found = BTreeMap::new();
    for architecture in architectures.iter().copied() {
        let running = own.as_ref().filter(|(own, _)| *own == architecture).map(|(_, path)| path);
        match given.get(&architecture).or(running) {
            None => failures.push(ProgramError::Missing(architecture)),
            Some(path) => match check(path, architecture) {
                Ok(()) => drop(found.insert(architecture, path.clone())),
                // That this program needs libraries is no fault of the operator's.
                Err(_) if !given.contains_key(&architecture) => failures.push(ProgramError::Missing(architecture)),
                Err(reason) => failures.push(ProgramError::Unfit { path: path.clone(), architecture, reason }),
            },
        }
    }
    if failures.is_empty() { Ok(found) } else { Err(failures) }
}

/// A component of this version's program, for no host.
pub(super) fn component() -> PinnedComponent {
    PinnedComponent {
        name: PROGRAM.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        roles: BTreeSet::new(),
        content: Content::Files(Vec::new()),
    }
}

/// Writes the file of the component that is made here into `directory`, and returns it.
pub(super) fn write_authorities(directory: &Path) -> std::io::Result<PathBuf> {
    let path = directory.join("ca-certificates.crt");
    let bundle = authorities_bundle();
    if fs::read(&path).ok().as_deref() != Some(bundle.as_bytes()) {
        fs::write(&path, bundle)?;
    }
    Ok(path)
}

/// The files of the component.
pub(super) fn gather(program: &Path, authorities: &Path, inputs: &Inputs) -> Result<Gathered, SourceError> {
    let mut tree = Tree::default();
    tree.add(program, Some(PATH), Some(Mode::Executable), inputs)?;
    tree.add(authorities, Some(AUTHORITIES), Some(Mode::Plain), inputs)?;
    for directory in ["root", "tmp"] {
        tree.add_empty(directory)?;
    }
    Ok(Gathered::Program(tree))
}

/// Mozilla's certificate authorities as PEM: the same on every machine that builds.
fn authorities_bundle() -> String {
    let mut bundle = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        bundle.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = STANDARD.encode(certificate);
        for line in text.as_bytes().chunks(64) {
            bundle.push_str(&String::from_utf8_lossy(line));
            bundle.push('\n');
        }
        bundle.push_str("-----END CERTIFICATE-----\n");
    }
    bundle
}

fn check(path: &Path, architecture: Architecture) -> Result<(), String> {
    let mut head = Vec::new();
    // Program headers follow the header of the file.
    let read = File::open(path).and_then(|file| file.take(64 * 1024).read_to_end(&mut head));
    read.map_err(|error| error.to_string())?;
    check_elf(&head, architecture)
}

/// Whether `head` begins a program for `architecture` that needs no libraries: there are none in the image.
fn check_elf(head: &[u8], architecture: Architecture) -> Result<(), String> {
    /// The program header that names the loader of shared libraries.
    const INTERPRETER: u32 = 3;
    let half = |at: usize| head.get(at..at + 2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let word = |at: usize| half(at).zip(half(at + 2)).map(|(low, high)| u32::from(high) << 16 | u32::from(low));
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return Err("it is no 64-bit program for Linux".to_owned());
    }
    let short = || "it is cut off".to_owned();
    let machine = half(18).ok_or_else(short)?;
    if !MACHINES.contains(&(machine, architecture)) {
        let other = MACHINES.iter().find(|(known, _)| *known == machine);
        return Err(other.map_or("it is for another processor".to_owned(), |(_, other)| format!("it is for {other}")));
    }
    let start = word(32).ok_or_else(short)? as usize;
    let (size, count) = half(54).zip(half(56)).ok_or_else(short)?;
    for index in 0..usize::from(count) {
        if word(start + index * usize::from(size)).ok_or_else(short)? == INTERPRETER {
            return Err("it needs shared libraries, which are not in the image".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::testing::elf;

    #[test]
    fn only_a_static_program_of_the_right_architecture_will_do() {
        let good = elf(62, &[1, 4]);
        assert_eq!(check_elf(&good, Architecture::Amd64), Ok(()));
        assert_eq!(check_elf(&elf(183, &[1]), Architecture::Arm64), Ok(()));
        for (head, why) in [
            (elf(62, &[1, 3]), "shared libraries"),
            (elf(183, &[1]), "it is for arm64"),
            (elf(40, &[1]), "another processor"),
            (good[..70].to_vec(), "cut off"),
            (b"#!/bin/sh\n".to_vec(), "no 64-bit program"),
        ] {
            let reason = check_elf(&head, Architecture::Amd64).unwrap_err();
            assert!(reason.contains(why), "{reason}");
        }
    }

    #[test]
    fn every_program_that_is_missing_or_unfit_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("program");
        fs::write(&file, elf(62, &[1])).unwrap();
        let given = [(Architecture::Amd64, file.clone())].into();
        assert_eq!(find(&[Architecture::Amd64].into(), &given).unwrap(), given);

        let own = Architecture::own().unwrap();
        let other = Architecture::ALL.into_iter().find(|one| *one != own).unwrap();
        let wrong = [(own, directory.path().join("gone"))].into();
        let failures = find(&[own, other].into(), &wrong).unwrap_err();
        let text: Vec<_> = failures.iter().map(ToString::to_string).collect();
        assert!(text.iter().any(|text| text.contains("gone cannot be the program")), "{text:?}");
        assert!(text.iter().any(|text| text.contains(&format!("--program {other}=FILE"))), "{text:?}");
    }

    #[test]
    fn the_bundle_of_authorities_is_one_that_tls_libraries_read() {
        use rustls_pki_types::CertificateDer;
        use rustls_pki_types::pem::PemObject;
        let bundle = authorities_bundle();
        let read = CertificateDer::pem_slice_iter(bundle.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(read, webpki_root_certs::TLS_SERVER_ROOT_CERTS);
        assert!(read.len() > 50);
    }
}
