//! HTTP clients: one per registry, because each may have certificate authorities of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Url};

use super::RegistryError;
use super::endpoint::is_loopback;

/// Where docker, containerd and podman look for authorities of one registry.
const DIRECTORIES: [&str; 3] = ["/etc/docker/certs.d", "/etc/containerd/certs.d", "/etc/containers/certs.d"];

/// The directories with a subdirectory for each registry that has authorities of its own.
pub(super) fn directories() -> Vec<PathBuf> {
    DIRECTORIES.iter().map(PathBuf::from).collect()
}

/// A client for `host` at `origin` that trusts the authorities of the system, those of `files`, and those for this host
/// in `directories`.
pub(super) fn client(
    host: &str,
    origin: &Url,
    files: &[PathBuf],
    directories: &[PathBuf],
) -> Result<Client, RegistryError> {
    let files = authority_files(host, files, directories);
    // A proxy reaches another loopback than ours.
    if is_loopback(origin) { build(|| builder().no_proxy(), files) } else { build(builder, files) }
}

/// A client for `origin` that trusts the authorities of the system and those of `files`.
pub(crate) fn http_client(origin: &Url, files: &[PathBuf]) -> Result<Client, RegistryError> {
    client("", origin, files, &[])
}

/// A client for whatever address that trusts the authorities of the system and those of `files`.
pub(in crate::image) fn download_client(files: &[PathBuf]) -> Result<Client, RegistryError> {
    build(builder, files.iter().cloned())
}

fn build(
    builder: impl Fn() -> ClientBuilder,
    authorities: impl IntoIterator<Item = PathBuf>,
) -> Result<Client, RegistryError> {
    let mut extra = Vec::new();
    for path in authorities {
        extra.extend(read(&path)?);
    }
    let failed = |error: reqwest::Error| RegistryError::Client(super::explain(&error));
    match builder().tls_certs_merge(extra.clone()).build() {
        Ok(client) => Ok(client),
        // A machine without authorities: those that are named are enough, and plain HTTP needs none.
        Err(_) => builder().tls_certs_only(extra).build().map_err(failed),
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("kubewright/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(15))
        .read_timeout(Duration::from_secs(60))
}

/// PEM of the authorities that a client for `host` trusts besides those of the system, where there are any.
pub(super) fn authorities(
    host: &str,
    files: &[PathBuf],
    directories: &[PathBuf],
) -> Result<Option<String>, RegistryError> {
    let mut all = String::new();
    for path in authority_files(host, files, directories) {
        let text = std::fs::read_to_string(&path);
        all.push_str(&text.map_err(|error| RegistryError::Authority { path, reason: error.to_string() })?);
        all.push('\n');
    }
    Ok((!all.is_empty()).then_some(all))
}

fn authority_files(host: &str, files: &[PathBuf], directories: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let own = directories.iter().flat_map(|directory| authorities_in(&directory.join(host)));
    files.iter().cloned().chain(own).collect::<Vec<_>>().into_iter()
}

/// `*.crt` in `directory`, as docker has it; what cannot be listed has none.
fn authorities_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "crt")).collect();
    found.sort();
    found
}

fn read(path: &Path) -> Result<Vec<Certificate>, RegistryError> {
    let bad = |reason: String| RegistryError::Authority { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| bad(super::explain(&error)))?;
    if certificates.is_empty() { Err(bad("it has no certificate in PEM form".to_owned())) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_found_beside_dockers() {
        let (directory, origin) = (tempfile::tempdir().unwrap(), Url::parse("https://r.example").unwrap());
        let own = directory.path().join("r.example:5000");
        std::fs::create_dir(&own).unwrap();
        for name in ["b.crt", "a.crt", "client.cert", "client.key"] {
            std::fs::write(own.join(name), "no PEM").unwrap();
        }
        assert_eq!(authorities_in(&own), [own.join("a.crt"), own.join("b.crt")]);
        let directories = [directory.path().to_owned()];
        let error = client("r.example:5000", &origin, &[], &directories).unwrap_err().to_string();
        assert!(error.contains("a.crt") && error.contains("no certificate"), "{error}");
        client("r.example", &origin, &[], &directories).unwrap();
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_named() {
        let origin = Url::parse("https://r.example").unwrap();
        let error = client("r.example", &origin, &["/nonexistent/ca.pem".into()], &[]).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/ca.pem"), "{error}");
    }
}
