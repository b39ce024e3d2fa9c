//! The inventory as written: YAML to a validated cluster, or to a report of everything that is wrong with it.
//!
//! Text → `yaml` (a tree with positions) → `substitute` (`${NAME}`) → `check` (against the JSON Schema) →
//! `spec` (as written) → `convert` (as meant) → `relations` (the rules of the cluster).

mod check;
mod convert;
mod examples;
mod problems;
mod range;
mod relations;
mod report;
mod scalar;
mod schema;
mod source;
mod spec;
mod substitute;
mod syntax;
mod tree;
mod units;
mod yaml;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::cluster::Cluster;

pub use report::{Finding, Report, Style};
pub use schema::schema;

use problems::{Fault, Problems};

/// Largest inventory that is read: a thousand hosts without ranges need a tenth of it.
const LIMIT: usize = 8 << 20;

/// Why there is no cluster.
#[derive(Debug, Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the inventory {}: {source}; name it with -i FILE, or - for standard input", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read, and is wrong.
    #[error("{0}")]
    Invalid(Report),
}

/// Reads an inventory; `-` is standard input. Variables come from the environment of the process.
pub fn load(path: &Path) -> Result<Cluster, Error> {
    let bytes = read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let name = if is_stdin(path) { "<stdin>".into() } else { path.display().to_string() };
    match String::from_utf8(bytes) {
        Ok(text) => parse(&name, &text, &|name| std::env::var(name).ok()).map_err(Error::Invalid),
        Err(error) => Err(Error::Invalid(not_text(&name, &error))),
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = LIMIT as u64 + 1;
    if is_stdin(path) {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn not_text(name: &str, error: &std::string::FromUtf8Error) -> Report {
    let good = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
    let fault = Fault::new("the file is not UTF-8 from here on", "save it as UTF-8");
    refuse(name, &text, good..good, fault)
}

fn refuse(name: &str, text: &str, span: std::ops::Range<usize>, fault: Fault) -> Report {
    let mut problems = Problems::default();
    problems.push(span, &tree::Path::default(), fault);
    Report::new(name, text, None, problems)
}

/// Reads the inventory `text`. `name` is what reports call it, and relative paths start at its directory; `environment`
/// looks up variables.
pub fn parse(name: &str, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Cluster, Report> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > LIMIT {
        let fault = Fault::new("the inventory is larger than 8 MiB", "use ranges for hosts: m[1-3]");
        return Err(refuse(name, "", 0..0, fault));
    }
    let mut problems = Problems::default();
    let mut root = match yaml::read(text, &mut problems) {
        Ok(root) => root,
        Err((span, fault)) => {
            problems.push(span, &tree::Path::default(), fault);
            return Err(Report::new(name, text, None, problems));
        }
    };
    substitute::apply(&mut root, &tree::Path::default(), environment, &mut problems);
    let document = check::check(schema::shared(), &root, &mut problems).map(serde_json::from_value::<spec::Document>);
    let cluster = match document {
        None => None,
        Some(Ok(document)) => {
            let base = Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
            let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
            let mut context = convert::Context { root: &root, problems: &mut problems, base, home };
            let converted = convert::convert(&document, &mut context);
            converted.and_then(|converted| relations::cluster(converted, &root, &mut problems))
        }
        // The schema and the structs are one, so this is a bug; but no reason to panic.
        Some(Err(error)) => {
            let fault = Fault::new(format!("cannot be read: {error}"), "please report this as a bug of kubewright");
            problems.push(0..0, &tree::Path::default(), fault);
            None
        }
    };
    match cluster {
        Some(cluster) if problems.is_empty() => Ok(cluster),
        _ => Err(Report::new(name, text, Some(&root), problems)),
    }
}

/// A commented inventory to start from. It is valid as it is.
pub fn starter() -> &'static str {
    include_str!("starter.yaml")
}
