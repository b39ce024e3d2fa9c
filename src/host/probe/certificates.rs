//! Dates of every certificate on the host.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use x509_parser::pem::Pem;

use super::super::machine::Machine;
use super::super::protocol::{CertificateDates, Failure};

const DIRECTORIES: [&str; 2] = ["/etc/kubernetes", "/etc/etcd"];
/// What the kubelet makes for itself; it keeps every former one beside the current.
const KUBELET: &str = "/var/lib/kubelet/pki";

/// In order of path; everything unreadable is told at once.
pub(in super::super) fn list(machine: &Machine) -> Result<Vec<CertificateDates>, Failure> {
    let mut paths = Vec::new();
    for directory in DIRECTORIES {
        walk(machine, directory, &mut paths)?;
    }
    let kubelet = machine.names(KUBELET)?;
    let current = kubelet.iter().filter(|name| name.ends_with("-current.pem") || name.ends_with(".crt"));
    paths.extend(current.map(|name| format!("{KUBELET}/{name}")));
    paths.sort();
    let (mut certificates, mut failures) = (Vec::new(), Vec::new());
    for path in paths {
        match dates(machine, &path) {
            Ok(dates) => certificates.extend(dates),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(certificates), Err)
}

/// Certificates and kubeconfigs below a directory. Links are not followed: nothing of ours is one here.
fn walk(machine: &Machine, directory: &str, paths: &mut Vec<String>) -> Result<(), Failure> {
    for name in machine.names(directory)?.into_iter().filter(|name| !name.starts_with('.')) {
        let path = format!("{directory}/{name}");
        let file = machine.root.at(&path);
        if file.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            walk(machine, &path, paths)?;
        } else if [".crt", ".pem", ".conf"].iter().any(|suffix| name.ends_with(suffix)) {
            paths.push(path);
        }
    }
    Ok(())
}

fn dates(machine: &Machine, path: &str) -> Result<Vec<CertificateDates>, Failure> {
    let failed = |why: String| Failure::new(format!("reading the certificate {path}"), why);
    let Some(content) = machine.bytes(path)? else { return Ok(Vec::new()) };
    let pem = if path.ends_with(".conf") {
        match kubeconfig(&content).map_err(failed)? {
            Some(pem) => pem,
            None => return Ok(Vec::new()),
        }
    } else {
        content
    };
    let mut dates = Vec::new();
    for block in Pem::iter_from_buffer(&pem) {
        let block = block.map_err(|error| failed(error.to_string()))?;
        if block.label == "CERTIFICATE" {
            dates.push(certificate(path, &block).map_err(failed)?);
        }
    }
    Ok(dates)
}

fn certificate(path: &str, block: &Pem) -> Result<CertificateDates, String> {
    let certificate = block.parse_x509().map_err(|error| error.to_string())?;
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let end = jiff::Timestamp::from_second(certificate.validity().not_after.timestamp());
    Ok(CertificateDates {
        path: path.to_owned(),
        common_name: name.unwrap_or_default().to_owned(),
        not_after: end.map_err(|error| error.to_string())?.to_string(),
    })
}

/// The client certificate inside a kubeconfig, PEM; none in other configuration files, or when it is in a file of
/// its own. The CA inside is the one in ca.crt.
fn kubeconfig(content: &[u8]) -> Result<Option<Vec<u8>>, String> {
    #[derive(Deserialize)]
    struct Kubeconfig {
        #[serde(default)]
        users: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        user: User,
    }
    #[derive(Deserialize)]
    struct User {
        #[serde(rename = "client-certificate-data")]
        certificate: Option<String>,
    }
    let Ok(text) = std::str::from_utf8(content) else { return Ok(None) };
    // What does not even look like a kubeconfig is another program's file.
    if !text.contains("client-certificate-data") {
        return Ok(None);
    }
    // The parser's own words would show the lines around, keys among them.
    let config: Kubeconfig = serde_yaml::from_str(text).map_err(|_| "it is not a valid kubeconfig".to_owned())?;
    let Some(data) = config.users.into_iter().find_map(|named| named.user.certificate) else { return Ok(None) };
    BASE64_STANDARD.decode(data.trim()).map(Some).map_err(|error| format!("client-certificate-data: {error}"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::super::super::testing::Scripted;
    use super::*;

    fn pem(name: &str, year: i32) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(year, 1, 2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn certificates_are_listed_with_their_dates() {
        let host = Scripted::new();
        host.put("/etc/kubernetes/pki/apiserver.crt", &pem("kube-apiserver", 2027));
        host.put("/etc/etcd/pki/server.crt", &pem("m1", 2029));
        host.put("/etc/kubernetes/pki/apiserver.key", "never read");
        host.put("/etc/kubernetes/pki/etcd/ca.crt", &(pem("etcd-ca", 2035) + &pem("old-etcd-ca", 2026)));
        let data = BASE64_STANDARD.encode(pem("kubernetes-admin", 2028));
        let config = format!(
            "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    client-certificate-data: {data}\n    client-key-data: c2VjcmV0\n"
        );
        host.put("/etc/kubernetes/admin.conf", &config);
        host.put("/etc/kubernetes/other.conf", "[section]\nkey = value\n");
        host.put("/var/lib/kubelet/pki/kubelet-client-current.pem", &pem("system:node:m1", 2027));
        host.put("/var/lib/kubelet/pki/kubelet-client-2025-01-01-00-00-00.pem", &pem("system:node:m1", 2025));
        let list = list(&host.machine).unwrap();
        let lines: Vec<String> =
            list.iter().map(|found| format!("{} {} {}", found.path, found.common_name, found.not_after)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        /etc/etcd/pki/server.crt m1 2029-01-02T00:00:00Z
        /etc/kubernetes/admin.conf kubernetes-admin 2028-01-02T00:00:00Z
        /etc/kubernetes/pki/apiserver.crt kube-apiserver 2027-01-02T00:00:00Z
        /etc/kubernetes/pki/etcd/ca.crt etcd-ca 2035-01-02T00:00:00Z
        /etc/kubernetes/pki/etcd/ca.crt old-etcd-ca 2026-01-02T00:00:00Z
        /var/lib/kubelet/pki/kubelet-client-current.pem system:node:m1 2027-01-02T00:00:00Z
        ");
    }

    #[test]
    fn everything_unreadable_is_told_and_no_secret_with_it() {
        let host = Scripted::new();
        host.put("/etc/kubernetes/pki/a.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        host.put("/etc/kubernetes/b.conf", "users: [client-certificate-data, client-key-data: c2VjcmV0\n");
        let failure = list(&host.machine).unwrap_err();
        assert!(failure.why.contains("a.crt") && failure.why.contains("b.conf"), "{failure}");
        assert!(!failure.why.contains("c2VjcmV0"), "{failure}");
    }
}
