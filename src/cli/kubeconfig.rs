//! `kubewright kubeconfig`.

use std::path::PathBuf;

use super::session::SessionArgs;
use super::{Exit, Failure, file};
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
        let is_one = |text: &str| text.lines().any(|line| line == "kind: Config");
        let to = self.to.as_deref().map(|to| file::free_for(to, "kubeconfig", is_one)).transpose()?;
        let session = self.session.load()?;
        let server = self.server;
        let work = async |subject: &run::Subject<'_>, events: &report::Events| {
            run::kubeconfig(subject, server.as_deref(), events).await
        };
        let text = session.run("kubeconfig", work)?;
        match &to {
            Some(path) => {
                file::write(path, &text, file::SECRET)?;
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

/// `https://HOST[:PORT]`, as a kubeconfig has it.
fn server(text: &str) -> Result<String, String> {
    match reqwest::Url::parse(text) {
        Ok(url) if url.scheme() == "https" && url.has_host() => Ok(text.to_owned()),
        _ => Err("write it as https://HOST:PORT".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::server;

    #[test]
    fn a_server_is_an_address_with_its_scheme() {
        assert!(server("https://10.0.0.1:6443").is_ok() && server("rub bish").is_err() && server("http://a").is_err());
    }
}
