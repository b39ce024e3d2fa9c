//! What the user's OpenSSH client configuration says about a host.

use std::path::{Path, PathBuf};

use ssh2_config::{ParseRule, SshConfig};

use super::options::Options;

/// The configuration files that are there, in order.
pub(super) struct ClientConfig {
    files: Vec<SshConfig>,
    home: PathBuf,
    local_user: String,
}

/// What they say about one host. The first file that has a value wins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HostConfig {
    pub(super) host_name: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identity_files: Vec<PathBuf>,
    pub(super) identities_only: bool,
    pub(super) jumps: Vec<String>,
}

impl ClientConfig {
    /// Reads the files of `options`. A missing file is none; one that cannot be read or understood is an error.
    pub(super) fn load(options: &Options) -> Result<Self, String> {
        let mut files = Vec::new();
        for path in &options.ssh_config {
            match std::fs::read(path) {
                Ok(bytes) => files.push(parse(path, &String::from_utf8_lossy(&bytes), &options.home)?),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
        Ok(Self { files, home: options.home.clone(), local_user: options.local_user.clone() })
    }

    /// What is configured for `host`, as the inventory calls it.
    pub(super) fn host(&self, host: &str) -> HostConfig {
        let mut found = HostConfig::default();
        for file in &self.files {
            let params = file.query(host);
            found.host_name = found.host_name.or(params.host_name);
            found.port = found.port.or(params.port);
            found.user = found.user.or(params.user);
            found.identity_files.extend(params.identity_file.unwrap_or_default());
            let only = params.unsupported_fields.get("identitiesonly").and_then(|words| words.first());
            found.identities_only |= only.is_some_and(|word| word.eq_ignore_ascii_case("yes"));
            if found.jumps.is_empty() {
                found.jumps = params.proxy_jump.unwrap_or_default();
            }
        }
        if found.jumps.iter().any(|jump| jump.eq_ignore_ascii_case("none")) {
            found.jumps.clear();
        }
        found.host_name = found.host_name.map(|name| name.replace("%h", host).replace("%%", "%"));
        let expand = |path: &PathBuf| self.expand(path, host, found.user.as_deref());
        found.identity_files = found.identity_files.iter().map(expand).collect();
        found.identity_files.retain(|path| path.as_os_str() != "none");
        found
    }

    /// The tokens of ssh_config(5) that make sense in a path, which ssh2-config leaves alone.
    fn expand(&self, path: &Path, host: &str, user: Option<&str>) -> PathBuf {
        let home = self.home.display().to_string();
        let tokens = [
            ("%d", home.as_str()),
            ("%h", host),
            ("%r", user.unwrap_or(&self.local_user)),
            ("%u", &self.local_user),
            ("%%", "%"),
        ];
        let text = path.display().to_string();
        PathBuf::from(tokens.iter().fold(text, |text, (token, value)| text.replace(token, value)))
    }
}

fn parse(path: &Path, text: &str, home: &Path) -> Result<SshConfig, String> {
    let text = without_match(text);
    SshConfig::default()
        .home_dir(home)
        .parse(&mut text.as_bytes(), ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// ssh2-config does not know `Match` and would apply its options to the `Host` block above. `Match all` and
/// `Match host …` become `Host`; what other blocks ask for is not known here, so they apply to no host.
fn without_match(text: &str) -> String {
    let line = |line: &str| {
        let plain = line.replace(['=', '\t'], " ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        match words.first() {
            Some(word) if word.eq_ignore_ascii_case("match") => {}
            _ => return line.to_owned(),
        }
        match words[1..] {
            [all] if all.eq_ignore_ascii_case("all") => "Host *".to_owned(),
            [host, patterns] if host.eq_ignore_ascii_case("host") || host.eq_ignore_ascii_case("originalhost") => {
                format!("Host {}", patterns.trim_matches('"').replace(',', " "))
            }
            _ => "Host !*".to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &[&str]) -> ClientConfig {
        let home = Path::new("/home/ann");
        let files = files.iter().map(|text| parse(Path::new("config"), text, home).unwrap()).collect();
        ClientConfig { files, home: home.into(), local_user: "ann".into() }
    }

    #[test]
    fn the_first_value_wins_across_files() {
        let config = config(&[
            "Host m1\n HostName 10.0.0.1\n IdentityFile ~/.ssh/work_%h\nHost *\n User ops\n IdentitiesOnly yes\n",
            "Host *\n HostName wrong\n User wrong\n Port 2222\n ProxyJump a@jump:22,second\n SendEnv LANG\n",
        ]);
        let host = config.host("m1");
        assert_eq!(
            host,
            HostConfig {
                host_name: Some("10.0.0.1".into()),
                port: Some(2222),
                user: Some("ops".into()),
                identity_files: vec!["/home/ann/.ssh/work_m1".into()],
                identities_only: true,
                jumps: vec!["a@jump:22".into(), "second".into()],
            }
        );
    }

    #[test]
    fn a_jump_of_none_is_no_jump() {
        let config = config(&["Host inside\n ProxyJump none\nHost *\n ProxyJump jump\n HostName %h.example\n"]);
        assert_eq!(config.host("inside").jumps, Vec::<String>::new());
        assert_eq!(config.host("x").jumps, ["jump"]);
        assert_eq!(config.host("x").host_name.as_deref(), Some("x.example"));
    }

    #[test]
    fn match_blocks_do_not_leak_into_the_host_above() {
        let text = "Host m1\n Port 1\nMatch user root exec \"true\"\n User wrong\n Port 9\nMatch host n1,n2\n Port 2\nMatch all\n Port 3\n";
        let config = config(&[text]);
        assert_eq!(config.host("m1"), HostConfig { port: Some(1), ..Default::default() });
        assert_eq!(config.host("n2").port, Some(2));
        assert_eq!(config.host("other").port, Some(3));
    }

    #[test]
    fn a_missing_file_is_fine_and_a_broken_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let broken = directory.path().join("broken");
        std::fs::write(&broken, "Host *\n Port abc\n").unwrap();
        let missing = directory.path().join("missing");
        let options = Options { ssh_config: vec![missing.clone()], ..Options::default() };
        assert!(ClientConfig::load(&options).unwrap().files.is_empty());
        let options = Options { ssh_config: vec![missing, broken.clone()], ..Options::default() };
        let Err(error) = ClientConfig::load(&options) else { panic!("a port of abc was understood") };
        assert_eq!(error, format!("{}: expected port number", broken.display()));
    }

    #[test]
    fn the_configuration_that_distributions_ship_is_understood() {
        let debian = "Include /nonexistent/ssh_config.d/*.conf\nHost *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n";
        assert_eq!(config(&[debian]).host("m1"), HostConfig::default());
    }
}
