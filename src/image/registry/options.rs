//! How registries are reached, as the operator says it.

use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;

use crate::cluster::is_registry;

/// How registries are reached. The default is TLS with the certificate authorities of the system, and plain HTTP only
/// where a registry on this machine speaks nothing else.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// PEM files with certificate authorities that are trusted besides those of the system.
    pub authorities: Vec<PathBuf>,
    /// Registries that are spoken to without TLS: `HOST[:PORT]`.
    pub plain_http: Vec<String>,
    /// What is read from elsewhere.
    pub mirrors: Vec<Mirror>,
}

/// A place that is read instead of a host. Nothing is written to a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The host, with its port where it has one.
    pub host: String,
    /// What stands for it. A path in it goes before the name of the image.
    pub url: Url,
}

impl FromStr for Mirror {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, url) = text.split_once('=').ok_or("write HOST=URL, such as quay.io=https://mirror.example/quay")?;
        if !is_registry(host) {
            return Err(format!("{host:?} is no host"));
        }
        let url: Url = url.parse().map_err(|error| format!("{url:?} is no URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(format!("{url} is neither http: nor https:"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a password does not belong in the URL; log in with `docker login`".to_owned());
        }
        Ok(Self { host: host.to_owned(), url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_parse() {
        let mirror: Mirror = "quay.io=https://mirror.example/quay".parse().unwrap();
        assert_eq!((mirror.host.as_str(), mirror.url.path()), ("quay.io", "/quay"));
        for (text, why) in [
            ("quay.io", "write HOST=URL"),
            ("quay=https://mirror.example", "is no host"),
            ("quay.io=mirror.example", "is no URL"),
            ("quay.io=ftp://mirror.example", "neither http: nor https:"),
            ("quay.io=https://me:secret@mirror.example", "does not belong in the URL"),
        ] {
            let error = text.parse::<Mirror>().unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
