//! `kubewright preflight`.

use std::collections::BTreeSet;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use super::session::SessionArgs;
use super::{Exit, Failure};
use crate::cluster::listed;
use crate::plan::preflight::{CHECKS, Check, Finding, Severity};
use crate::report::{self, Format, Style};
use crate::run;

/// Which checks do not stop a run.
#[derive(Debug, clap::Args)]
pub(super) struct IgnoreArgs {
    /// Take the findings of this check for warnings; may be given several times
    #[arg(
        long = "ignore-preflight",
        value_name = "CHECK",
        value_delimiter = ',',
        value_parser = check_names(),
        hide_possible_values = true,
        env = "KUBEWRIGHT_IGNORE_PREFLIGHT"
    )]
    ignored: Vec<&'static str>,
}

impl IgnoreArgs {
    pub(super) fn names(&self) -> BTreeSet<&'static str> {
        self.ignored.iter().copied().collect()
    }
}

fn check_names() -> impl TypedValueParser<Value = &'static str> {
    let names = PossibleValuesParser::new(CHECKS.iter().map(|check| check.name));
    names.map(|name| CHECKS.iter().map(|check| check.name).find(|known| *known == name).unwrap_or_default())
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Args {
    /// The list of checks.
    List(Format),
    /// The checks of an inventory.
    Look { session: SessionArgs, ignore: IgnoreArgs },
}

/// By hand, because the list needs no inventory and everything else does.
impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        let list = Arg::new("list").long("list").action(ArgAction::SetTrue);
        let command = SessionArgs::augment_args(command).arg(list.help("List the checks and what they look at"));
        IgnoreArgs::augment_args(command)
            .mut_arg("inventory", |inventory| inventory.required(false).required_unless_present("list"))
            .about("Look for everything that would keep a host from its roles; changes nothing")
            .after_help(
                "install does the same first, and begins only when there are no errors.\n\n\
                 Exit codes: 0 no errors, 1 errors were found, 65 invalid inventory",
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.get_flag("list") {
            return Ok(Self::List(matches.get_one("output").copied().unwrap_or(Format::Human)));
        }
        let session = SessionArgs::from_arg_matches(matches)?;
        Ok(Self::Look { session, ignore: IgnoreArgs::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::List(format) => list(format),
            Self::Look { session, ignore } => look(&session, &ignore),
        }
    }
}

fn list(format: Format) -> Result<Exit, Failure> {
    if format == Format::Json {
        for Check { name, severity, about, .. } in CHECKS {
            report::print(&serde_json::json!({ "check": name, "severity": severity, "about": about }).to_string());
        }
        return Ok(Exit::Done);
    }
    let row = |check: &Check| vec![check.name.to_owned(), check.severity.to_string(), check.about.to_owned()];
    let rows: Vec<_> = CHECKS.iter().map(row).collect();
    report::print(&report::table(&["CHECK", "SEVERITY", "WHAT MUST BE"], &rows));
    Ok(Exit::Done)
}

fn look(session: &SessionArgs, ignore: &IgnoreArgs) -> Result<Exit, Failure> {
    let (session, ignored) = (session.load()?, ignore.names());
    let work =
        async |subject: &run::Subject<'_>, events: &report::Events| run::preflight(subject, &ignored, events).await;
    let findings = session.run("preflight", work)?;
    match session.output {
        Format::Human => report::print(&human(&findings, session.cluster.hosts.len(), Style::stdout())),
        Format::Json => {
            for finding in &findings {
                report::print(&serde_json::to_string(finding)?);
            }
        }
    }
    let bad = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if bad { Exit::Code(1) } else { Exit::Done })
}

/// Findings by host; what hosts have in common is below all of them.
fn by_hosts(findings: &[Finding]) -> Vec<(String, &Finding)> {
    let mut groups: Vec<(Vec<&str>, &Finding)> = Vec::new();
    for finding in findings {
        let host = finding.host.as_ref().map_or("cluster", |host| host.as_str());
        let same =
            |known: &Finding| Finding { host: None, ..known.clone() } == Finding { host: None, ..finding.clone() };
        match groups.iter_mut().find(|(_, known)| same(known)) {
            Some((hosts, _)) => hosts.push(host),
            None => groups.push((vec![host], finding)),
        }
    }
    groups.sort_by(|(hosts, finding), (other, than)| (hosts, finding.severity).cmp(&(other, than.severity)));
    groups.into_iter().map(|(hosts, finding)| (listed(hosts), finding)).collect()
}

/// Findings by host, and what they come to.
fn human(findings: &[Finding], hosts: usize, style: Style) -> String {
    let mut text = String::new();
    let mut told = String::new();
    for (hosts, finding) in by_hosts(findings) {
        if told != hosts {
            text.push_str(&format!("{}\n", style.bold(&hosts)));
            told = hosts;
        }
        let mark = match finding.severity {
            Severity::Error => style.red("✗"),
            Severity::Warning => style.yellow("!"),
            Severity::Note => style.dim("·"),
        };
        let (name, message, hint) = (style.dim(finding.check), &finding.message, &finding.hint);
        text.push_str(&format!("  {mark} {message} [{name}]\n      → {hint}\n"));
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let checks = CHECKS.len();
    text.push_str(&format!(
        "{checks} checks on {}: {}, {}, {}",
        plural(hosts, "host"),
        plural(errors, "error"),
        plural(warnings, "warning"),
        plural(notes, "note")
    ));
    text
}
