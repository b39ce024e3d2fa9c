//! The inventory as written: YAML to a validated cluster, or to a report of everything that is wrong with it.
//!
//! Text → `yaml` (a tree with positions) → `substitute` (`${NAME}`) → `check` (against the JSON Schema) →
//! `spec` (as written) → `convert` (as meant) → `relations` (the rules of the cluster). Files that it names are looked at
//! for `validate` alone (`named_files`).

mod check;
mod convert;
mod examples;
mod named_files;
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

use named_files::{NamedFile, Verdict};
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
    let (name, text) = text_of(path)?;
    parse(&name, &text, &variable).map_err(Error::Invalid)
}

/// Reads an inventory, and looks at the files that it names. What is wrong with one that is here makes the inventory
/// invalid; what somebody should know is returned beside the cluster.
pub fn validate(path: &Path) -> Result<(Cluster, Report), Error> {
    let (name, text) = text_of(path)?;
    let text = without_mark(&text);
    let mut analysis = analyse(&name, text, &variable).map_err(Error::Invalid)?;
    let mut notes = Problems::default();
    for named in &analysis.files {
        let (problems, fault) = match named.judge() {
            None => continue,
            Some(Verdict::Wrong(fault)) => (&mut analysis.problems, fault),
            Some(Verdict::Note(fault)) => (&mut notes, fault),
        };
        problems.report(analysis.root.nearest(&named.field), &named.field, fault);
    }
    let notes = Report::new(&name, text, Some(&analysis.root), notes);
    analysis.cluster(&name, text).map(|cluster| (cluster, notes)).map_err(Error::Invalid)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What reports call the file, and what is in it.
fn text_of(path: &Path) -> Result<(String, String), Error> {
    let bytes = read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let name = if is_stdin(path) { "<stdin>".into() } else { path.display().to_string() };
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Error::Invalid(not_text(&name, &error))),
    }
}

/// Without what some editors put before the text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
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
    let text = without_mark(text);
    analyse(name, text, environment)?.cluster(name, text)
}

/// What there is to say about a text that is YAML.
struct Analysis {
    root: tree::Node,
    problems: Problems,
    /// Files that it names.
    files: Vec<NamedFile>,
    cluster: Option<Cluster>,
}

impl Analysis {
    /// The cluster, unless anything is wrong.
    fn cluster(self, name: &str, text: &str) -> Result<Cluster, Report> {
        match self.cluster {
            Some(cluster) if self.problems.is_empty() => Ok(cluster),
            _ => Err(Report::new(name, text, Some(&self.root), self.problems)),
        }
    }
}

fn analyse(name: &str, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Analysis, Report> {
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
    let mut files = Vec::new();
    let cluster = match document {
        None => None,
        Some(Ok(document)) => {
            let base = Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
            let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
            let mut context = convert::Context::new(&root, &mut problems, base, home);
            let converted = convert::convert(&document, &mut context);
            files = context.files;
            converted.and_then(|converted| relations::cluster(converted, &root, &mut problems))
        }
        // The schema and the structs are one, so this is a bug; but no reason to panic.
        Some(Err(error)) => {
            let hint = "this is a defect of kubewright; please report it";
            let fault = Fault::new(format!("cannot be read: {error}"), hint);
            problems.push(0..0, &tree::Path::default(), fault);
            None
        }
    };
    Ok(Analysis { root, problems, files, cluster })
}

/// The text of an inventory for others to read: what stands under a key that names a secret is struck out.
pub fn without_secrets(text: &str) -> String {
    let root = yaml::read(text, &mut Problems::default()).ok();
    source::Source::new(text, root.as_ref()).text().to_owned()
}

/// Reads a duration as an inventory has it: `24h`, `30m`.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    units::duration(text).map_err(|fault| format!("{}; {}", fault.message, fault.hint))
}

/// Reads a size as an inventory has it: `2MiB`.
pub fn size(text: &str) -> Result<u64, String> {
    units::size(text).map_err(|fault| format!("{}; {}", fault.message, fault.hint))
}

/// A commented inventory to start from. It is valid as it is.
pub fn starter() -> &'static str {
    include_str!("starter.yaml")
}
