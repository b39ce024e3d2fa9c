//! Defaults of flags, from a file: `$KUBEWRIGHT_CONFIG`, or `kubewright/config.yaml` in the user's configuration
//! directory. The command line and the environment win over it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use serde_json::Value;

use crate::cli::Failure;
use crate::cluster::nearest;

/// What is asked anew each time: a file must not answer it.
const NEVER: [&str; 2] = ["yes", "confirm"];

/// Values of flags, by the path of their verb; those under the empty path are for all verbs that share the flag.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Defaults(BTreeMap<(String, String), Vec<String>>);

impl Defaults {
    /// The defaults of this machine's file; none where there is no file.
    pub(in crate::cli) fn load(grammar: &Command) -> Result<Self, Failure> {
        let Some((path, is_named)) = path() else { return Ok(Self::default()) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => return Ok(Self::default()),
            Err(error) => {
                return Err(Failure::usage(format!("cannot read the configuration file {}: {error}", path.display())));
            }
        };
        Self::parse(&text, grammar).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
            Failure::usage(format!("the configuration file {} is wrong:{}", path.display(), problems.concat()))
        })
    }

    fn parse(text: &str, grammar: &Command) -> Result<Self, Vec<String>> {
        let content: BTreeMap<String, Value> = match serde_yaml::from_str::<Option<_>>(text) {
            Ok(content) => content.unwrap_or_default(),
            Err(error) => return Err(vec![error.to_string()]),
        };
        let flags = Flags::of(grammar);
        let (mut defaults, mut problems) = (BTreeMap::new(), Vec::new());
        let mut add = |verb: &str, flag: &str, value: &Value| match flags.check(verb, flag, value) {
            Ok(values) => drop(defaults.insert((verb.to_owned(), flag.to_owned()), values)),
            Err(problem) => problems.push(problem),
        };
        for (key, value) in &content {
            match value {
                Value::Object(values) => values.iter().for_each(|(flag, value)| add(key, flag, value)),
                value => add("", key, value),
            }
        }
        if problems.is_empty() { Ok(Self(defaults)) } else { Err(problems) }
    }

    /// The grammar with these defaults in it.
    pub(in crate::cli) fn apply(&self, grammar: Command) -> Command {
        if self.0.is_empty() {
            return grammar;
        }
        super::each_flag(grammar, "", &mut |path, arg| {
            let flag = arg.get_long().unwrap_or_default().to_owned();
            let own = self.0.get(&(path.to_owned(), flag.clone()));
            let shared = || self.0.get(&(String::new(), flag)).filter(|_| is_shared(&arg));
            match own.or_else(shared).cloned() {
                Some(values) => arg.default_values(values).required(false),
                None => arg,
            }
        })
    }
}

/// Where the file is, and whether somebody has said so.
fn path() -> Option<(PathBuf, bool)> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("KUBEWRIGHT_CONFIG") {
        return Some((path, true));
    }
    let directory = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")))?;
    Some((directory.join("kubewright/config.yaml"), false))
}

/// Whether the flag means the same wherever it is: then it has declared its variable, which names no verb.
fn is_shared(arg: &Arg) -> bool {
    !arg.is_hide_env_set()
}

/// The flags that a file may have defaults for.
struct Flags(BTreeMap<String, BTreeMap<String, Arg>>);

impl Flags {
    fn of(grammar: &Command) -> Self {
        let mut flags: BTreeMap<String, BTreeMap<String, Arg>> = BTreeMap::from([(String::new(), BTreeMap::new())]);
        super::each_flag(grammar.clone(), "", &mut |path, arg| {
            let name = arg.get_long().unwrap_or_default().to_owned();
            if !NEVER.contains(&name.as_str()) {
                let general = is_shared(&arg).then_some("");
                for verb in general.into_iter().chain([path]) {
                    flags.entry(verb.to_owned()).or_default().insert(name.clone(), arg.clone());
                }
            }
            arg
        });
        Self(flags)
    }

    /// The value as the command line has it.
    fn check(&self, verb: &str, flag: &str, value: &Value) -> Result<Vec<String>, String> {
        let here = if verb.is_empty() { flag.to_owned() } else { format!("{verb}: {flag}") };
        let Some(flags) = self.0.get(verb) else {
            let meant = nearest(verb, self.0.keys().map(String::as_str));
            return Err(format!("{verb}: no such verb{}", did_you_mean(meant)));
        };
        let Some(arg) = flags.get(flag) else {
            if NEVER.contains(&flag) {
                return Err(format!("{here}: is asked anew each time, and has no default"));
            }
            if verb.is_empty() && self.0.values().any(|flags| flags.contains_key(flag)) {
                return Err(format!(
                    "{here}: means different things to different verbs; put it below a verb: `VERB: {{{flag}: …}}`"
                ));
            }
            return Err(format!(
                "{here}: no such flag{}",
                did_you_mean(nearest(flag, flags.keys().map(String::as_str)))
            ));
        };
        let values = match value {
            Value::Array(values) => values.iter().map(scalar).collect(),
            value => scalar(value).map(|value| vec![value]),
        };
        let values =
            values.ok_or_else(|| format!("{here}: write a text, a number, true or false, or a list of them"))?;
        if values.len() != 1 && !matches!(arg.get_action(), ArgAction::Append) {
            return Err(format!("{here}: takes one value"));
        }
        let trial = Arg::new("value").long(flag.to_owned()).action(ArgAction::Append);
        let trial = trial.value_parser(arg.get_value_parser().clone()).allow_hyphen_values(true);
        let command = Command::new("kubewright").no_binary_name(true).arg(trial);
        match command.try_get_matches_from(values.iter().map(|value| format!("--{flag}={value}"))) {
            Ok(_) => Ok(values),
            Err(error) => {
                let text = error.render().to_string();
                let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Err(format!("{here}: {first}"))
            }
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn did_you_mean(word: Option<&str>) -> String {
    word.filter(|word| !word.is_empty()).map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::grammar::grammar;

    #[test]
    fn defaults_are_taken_unless_the_command_line_says_otherwise() {
        let text = "parallel: 7\naccept-new-host-keys: true\nlab up: {masters: 1, disk: [1G, 2G]}\n";
        let command = Defaults::parse(text, &grammar()).unwrap().apply(grammar());
        let matches = command.clone().get_matches_from(["kubewright", "lab", "up", "--workers", "0"]);
        let up = matches.subcommand().unwrap().1.subcommand().unwrap().1;
        assert_eq!(up.get_one::<u8>("masters"), Some(&1));
        assert_eq!(up.get_raw("disks").unwrap().count(), 2);
        let matches = command.get_matches_from(["kubewright", "status", "-i", "x", "--parallel", "9"]);
        let status = matches.subcommand().unwrap().1;
        assert_eq!(status.get_raw("parallel").unwrap().next().unwrap(), "9");
        assert!(status.get_flag("accept_new_host_keys"));
    }

    #[test]
    fn what_is_wrong_is_told_all_at_once() {
        let text = "paralel: 7\nparallel: many\nkeep: 3\nlab upp: {masters: 1}\nlab up: {masters: [1, 2], name: {a: b}}\nreset: {yes: true}\n";
        let problems = Defaults::parse(text, &grammar()).unwrap_err();
        insta::assert_snapshot!(problems.join("\n"));
        assert!(Defaults::parse("- a", &grammar()).is_err());
        assert_eq!(Defaults::parse("# nothing\n", &grammar()).unwrap(), Defaults::default());
    }
}
