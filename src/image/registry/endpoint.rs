//! Where the API of a registry is: URLs only, nothing is asked.

use std::net::IpAddr;

use reqwest::Url;

use super::RegistryOptions;

/// What is done with a repository; also the scope of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Read,
    Write,
}

/// Scheme, host and path under which the API of a registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Without the path.
    pub(super) origin: Url,
    /// Goes before the name of the image; empty, or with a trailing slash.
    pub(super) prefix: String,
}

/// How the endpoint of a registry is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is this one.
    Known(Endpoint),
    /// On this machine, where either is common: the first if it answers, otherwise the second.
    TlsOrPlain(Endpoint, Endpoint),
}

/// The endpoint of `registry`; `None` when its name makes no URL.
pub(super) fn choose(registry: &str, access: Access, options: &RegistryOptions) -> Option<Choice> {
    let mirror = options.mirrors.iter().find(|mirror| mirror.host == registry && access == Access::Read);
    if let Some(mirror) = mirror {
        let path = mirror.url.path().trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut origin = mirror.url.clone();
        origin.set_path("");
        origin.set_query(None);
        return Some(Choice::Known(Endpoint { origin, prefix }));
    }
    // The one registry whose API is not where its name says.
    let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
    let endpoint = |scheme: &str| {
        let origin = Url::parse(&format!("{scheme}://{host}")).ok()?;
        Some(Endpoint { origin, prefix: String::new() })
    };
    let (tls, plain) = (endpoint("https")?, endpoint("http")?);
    Some(match options.plain_http.iter().any(|host| host == registry) {
        true => Choice::Known(plain),
        false if is_loopback(&tls.origin) => Choice::TlsOrPlain(tls, plain),
        false => Choice::Known(tls),
    })
}

impl Endpoint {
    /// The URL of `rest` (`manifests/…`, `blobs/…`) of a repository.
    pub(super) fn url(&self, repository: &str, rest: &str) -> Url {
        let mut url = self.origin.clone();
        url.set_path(&format!("/v2/{}{repository}/{rest}", self.prefix));
        url
    }

    /// The URL that tells whether there is a registry.
    pub(super) fn root(&self) -> Url {
        let mut url = self.origin.clone();
        url.set_path("/v2/");
        url
    }
}

/// Whether `url` is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(registry: &str, access: Access, options: &RegistryOptions) -> String {
        match choose(registry, access, options).unwrap() {
            Choice::Known(endpoint) => endpoint.url("a/b", "manifests/v1").to_string(),
            Choice::TlsOrPlain(tls, plain) => format!("{} or {}", tls.root(), plain.root()),
        }
    }

    #[test]
    fn tls_is_left_out_only_where_that_is_asked_for_or_harmless() {
        let options = RegistryOptions { plain_http: vec!["lan.example:5000".into()], ..RegistryOptions::default() };
        for (registry, url) in [
            ("r.example", "https://r.example/v2/a/b/manifests/v1"),
            ("r.example:5000", "https://r.example:5000/v2/a/b/manifests/v1"),
            ("lan.example:5000", "http://lan.example:5000/v2/a/b/manifests/v1"),
            ("lan.example", "https://lan.example/v2/a/b/manifests/v1"),
            ("docker.io", "https://registry-1.docker.io/v2/a/b/manifests/v1"),
            ("localhost:5000", "https://localhost:5000/v2/ or http://localhost:5000/v2/"),
            ("127.0.0.1:5000", "https://127.0.0.1:5000/v2/ or http://127.0.0.1:5000/v2/"),
            ("[::1]:5000", "https://[::1]:5000/v2/ or http://[::1]:5000/v2/"),
        ] {
            assert_eq!(manifest(registry, Access::Read, &options), url);
        }
    }

    #[test]
    fn mirrors_are_read_and_never_written() {
        let options = RegistryOptions {
            mirrors: vec![
                "docker.io=https://mirror.example/hub/".parse().unwrap(),
                "r.example=http://127.0.0.1:5000".parse().unwrap(),
            ],
            ..RegistryOptions::default()
        };
        for (registry, access, url) in [
            ("docker.io", Access::Read, "https://mirror.example/v2/hub/a/b/manifests/v1"),
            ("docker.io", Access::Write, "https://registry-1.docker.io/v2/a/b/manifests/v1"),
            ("r.example", Access::Read, "http://127.0.0.1:5000/v2/a/b/manifests/v1"),
            ("other.example", Access::Read, "https://other.example/v2/a/b/manifests/v1"),
        ] {
            assert_eq!(manifest(registry, access, &options), url);
        }
    }
}
