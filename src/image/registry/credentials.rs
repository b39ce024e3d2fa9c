//! Who one is to a registry: docker's `config.json`, which `docker login`, podman and skopeo write, too.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

use super::login::Credentials;
use super::{RegistryError, helper};

/// The file, as far as it is about logins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry")
    }
}

/// What the file says about a registry.
#[derive(Debug, PartialEq, Eq)]
enum Answer<'a> {
    /// Ask the program `docker-credential-NAME`.
    Helper(&'a str),
    Own(Credentials),
    Nothing,
}

/// Where the file is; `None` when nothing says so.
pub(super) fn path() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")))?;
    Some(directory.join("config.json"))
}

/// The login for `registry` that the file at `path` names.
pub(super) async fn find(path: &Path, registry: &str) -> Result<Option<Credentials>, RegistryError> {
    let bad = |reason: String| RegistryError::Login { path: path.to_owned(), reason };
    let text = match tokio::fs::read(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let config: DockerConfig = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    match config.lookup(registry).map_err(bad)? {
        Answer::Nothing => Ok(None),
        Answer::Own(credentials) => Ok(Some(credentials)),
        Answer::Helper(name) => helper::get(name, server(registry)).await.map_err(bad),
    }
}

/// The name by which docker's files know a registry.
fn server(registry: &str) -> &str {
    if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry }
}

impl DockerConfig {
    fn lookup(&self, registry: &str) -> Result<Answer<'_>, String> {
        if let Some((_, name)) = self.cred_helpers.iter().find(|(key, _)| host(key) == registry) {
            return Ok(Answer::Helper(name));
        }
        let entries = || self.auths.iter().filter(|(key, _)| host(key) == registry);
        for (key, entry) in entries() {
            if let Some(credentials) = entry.credentials().map_err(|reason| format!("auths[{key:?}] {reason}"))? {
                return Ok(Answer::Own(credentials));
            }
        }
        // With a store, the entries are there and empty.
        Ok(if self.creds_store.is_empty() { Answer::Nothing } else { Answer::Helper(&self.creds_store) })
    }
}

/// The registry that a key of the file means: `https://index.docker.io/v1/` is `docker.io`.
fn host(key: &str) -> &str {
    let plain = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match plain.split('/').next().unwrap_or(plain) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credentials::RegistryToken(self.registrytoken.clone())));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::IdentityToken(self.identitytoken.clone())));
        }
        if !self.auth.is_empty() {
            let bad = "has an `auth` that is not USER:PASSWORD in base64";
            let bytes = STANDARD.decode(&self.auth).or_else(|_| STANDARD_NO_PAD.decode(&self.auth)).map_err(|_| bad)?;
            let text = String::from_utf8(bytes).map_err(|_| bad)?;
            let (user, password) = text.trim_end_matches('\0').split_once(':').ok_or(bad)?;
            return Ok(Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() }));
        }
        let (user, password) = (self.username.clone(), self.password.clone());
        Ok((!user.is_empty()).then_some(Credentials::Password { user, password }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(json: &str, registry: &str) -> Result<String, String> {
        let config: DockerConfig = serde_json::from_str(json).unwrap();
        config.lookup(registry).map(|answer| match answer {
            Answer::Helper(name) => format!("helper {name}"),
            Answer::Nothing => "nothing".to_owned(),
            Answer::Own(Credentials::Password { user, password }) => format!("{user} {password}"),
            Answer::Own(Credentials::IdentityToken(token)) => format!("identity {token}"),
            Answer::Own(Credentials::RegistryToken(token)) => format!("token {token}"),
        })
    }

    #[test]
    fn every_kind_of_entry_is_understood() {
        let json = r#"{
            "auths": {
                "r.example": {"auth": "b3BzOmM6MQ=="},
                "https://r2.example:5000/v2/": {"username": "me", "password": "pw"},
                "https://index.docker.io/v1/": {"auth": "AAAA", "identitytoken": "idt"},
                "t.example": {"registrytoken": "rt"},
                "empty.example": {},
                "bad.example": {"auth": "b3Bz"}
            },
            "credHelpers": {"aws.example": "ecr-login"},
            "HttpHeaders": {"x": "y"}
        }"#;
        for (registry, answer) in [
            ("r.example", "ops c:1"),
            ("r2.example:5000", "me pw"),
            ("docker.io", "identity idt"),
            ("t.example", "token rt"),
            ("aws.example", "helper ecr-login"),
            ("empty.example", "nothing"),
            ("other.example", "nothing"),
        ] {
            assert_eq!(lookup(json, registry).unwrap(), answer, "{registry}");
        }
        let error = lookup(json, "bad.example").unwrap_err();
        assert!(error.contains("auths[\"bad.example\"]") && !error.contains("b3Bz"), "{error}");
    }

    #[test]
    fn a_store_is_asked_where_nothing_else_is_said() {
        let json = r#"{"auths": {"r.example": {}, "s.example": {"auth": "YTpi"}}, "credsStore": "pass"}"#;
        assert_eq!(lookup(json, "r.example").unwrap(), "helper pass");
        assert_eq!(lookup(json, "s.example").unwrap(), "a b");
        assert_eq!(lookup("{}", "r.example").unwrap(), "nothing");
    }
}
