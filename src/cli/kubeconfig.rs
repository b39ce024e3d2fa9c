//! `kubewright kubeconfig`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::session::SessionArgs;
use super::{Exit, Failure};
use crate::report::{self, Format};
use crate::run;

/// Print the kubeconfig of a cluster's administrator; it is read from a master
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// Write to this file, with mode 0600, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Server to put into it; by default the endpoint, or the first master where the endpoint exists on the hosts only
    #[arg(long, value_name = "URL", value_parser = server)]
    server: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let to = self.to.as_deref().map(place).transpose()?;
        let session = self.session.load()?;
        let server = self.server;
        let work =
            async |subject: &run::Subject<'_>, _: &report::Events| run::kubeconfig(subject, server.as_deref()).await;
        let text = session.run("kubeconfig", work)?;
        match &to {
            Some(path) => {
                write(path, &text)?;
                report::print_error(&format!("written to {}", path.display()));
            }
            None if session.output == Format::Json => {
                report::print(&serde_json::json!({ "kubeconfig": text }).to_string());
            }
            None => report::print(&text),
        }
        Ok(Exit::Done)
    }
}

/// Where to write: the file that a link leads to, so that the link stays. A slip of the finger must not cost another
/// file, or a device: only a kubeconfig is replaced.
fn place(path: &Path) -> Result<PathBuf, Failure> {
    let refused =
        |why: &str| Failure::usage(format!("--to {}: {why}; name another file, or move this one away", path.display()));
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(error) => return Err(refused(&error.to_string())),
        Ok(_) => {}
    }
    let path = std::fs::canonicalize(path).map_err(|error| refused(&format!("the link leads nowhere: {error}")))?;
    if !path.is_file() {
        return Err(refused("it is no regular file"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| refused(&error.to_string()))?;
    if text.is_empty() || text.lines().any(|line| line == "kind: Config") {
        return Ok(path);
    }
    Err(refused("it is there already and no kubeconfig"))
}

/// `https://HOST[:PORT]`, as a kubeconfig has it.
fn server(text: &str) -> Result<String, String> {
    match reqwest::Url::parse(text) {
        Ok(url) if url.scheme() == "https" && url.has_host() => Ok(text.to_owned()),
        _ => Err("write it as https://HOST:PORT".to_owned()),
    }
}

/// Writes beside and renames, so that a kubeconfig in use is never half there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut name = path.file_name().ok_or_else(|| Failure::usage("--to names no file"))?.to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let describe = |error: std::io::Error| {
        Failure::new(format!("cannot write {}: {error}; name another file with --to", path.display()))
    };
    let options = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    let mut file = options.map_err(describe)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(describe)?;
    std::fs::rename(&beside, path).map_err(describe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kubeconfigs_are_replaced_and_links_are_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("old"), "apiVersion: v1\nkind: Config\n").unwrap();
        std::fs::write(at("other"), "dear diary\n").unwrap();
        std::fs::write(at("empty"), "").unwrap();
        std::os::unix::fs::symlink("old", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, place_of) in [
            ("new", Some("new")),
            ("old", Some("old")),
            ("empty", Some("empty")),
            ("link", Some("old")),
            ("other", None),
            ("dangling", None),
            ("fifo", None),
        ] {
            let found = place(&at(name)).ok();
            assert_eq!(found.as_deref().and_then(Path::file_name), place_of.map(std::ffi::OsStr::new), "{name}");
        }
        assert!(place(Path::new("/dev/null")).is_err() && place(Path::new("/dev/full")).is_err());
        assert!(server("https://10.0.0.1:6443").is_ok() && server("rub bish").is_err() && server("http://a").is_err());
    }
}
