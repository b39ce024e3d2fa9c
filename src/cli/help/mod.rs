//! `kubewright help`: verbs, and topics that no single verb explains.

use clap::Command;

use super::grammar::grammar;
use super::{Exit, Failure};
use crate::cluster::nearest;
use crate::report;

/// Every topic: its name, and its text. A topic may have the name of a verb; its text ends with where the flags are.
const TOPICS: &[(&str, &str)] = &[
    ("inventory", include_str!("topics/inventory.txt")),
    ("upgrade", include_str!("topics/upgrade.txt")),
    ("backup", include_str!("topics/backup.txt")),
    ("network", include_str!("topics/network.txt")),
    ("ci", include_str!("topics/ci.txt")),
    ("exit-codes", include_str!("topics/exit-codes.txt")),
    ("environment", include_str!("topics/environment.txt")),
    ("files", include_str!("topics/files.txt")),
];

/// Explain a verb or a topic
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A verb, such as `lab up`, or a topic
    #[arg(value_name = "VERB | TOPIC")]
    words: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        report::print(&text(&self.words)?);
        Ok(Exit::Done)
    }
}

/// The names of all topics.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().map(|(name, _)| *name)
}

fn text(words: &[String]) -> Result<String, Failure> {
    if let [word] = words
        && let Some((_, text)) = TOPICS.iter().find(|(name, _)| name == word)
    {
        return Ok((*text).to_owned());
    }
    let mut command = grammar();
    command.build();
    for word in words {
        let Some(verb) = command.find_subcommand(word) else {
            let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
            let there: Vec<String> = verbs.map(str::to_owned).chain(names().map(str::to_owned)).collect();
            let meant = nearest(word, there.iter().map(String::as_str));
            let hint = meant
                .map_or_else(|| "`kubewright help` lists all".to_owned(), |meant| format!("did you mean {meant}?"));
            return Err(Failure::usage(format!("there is no verb and no topic {:?}; {hint}", words.join(" "))));
        };
        command = verb.clone();
    }
    Ok(command.render_long_help().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(words: &str) -> Result<String, String> {
        text(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).map_err(|failure| failure.message)
    }

    #[test]
    fn verbs_and_topics_are_explained() {
        assert!(help("").unwrap().contains("Topics:"));
        assert!(help("lab up").unwrap().contains("Usage: kubewright lab up"));
        assert!(help("exit-codes").unwrap().contains("75"));
        assert_eq!(help("isntall").unwrap_err(), "there is no verb and no topic \"isntall\"; did you mean install?");
        assert!(help("lab nothing").is_err());
    }

    #[test]
    fn topics_fit_a_small_terminal_and_name_only_verbs_that_exist() {
        for (name, text) in TOPICS {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
            for command in text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("kubewright ")) {
                let mut verb = grammar();
                for word in command
                    .split_whitespace()
                    .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
                {
                    let Some(next) = verb.find_subcommand(word) else { break };
                    verb = next.clone();
                }
                assert_ne!(verb.get_name(), "kubewright", "{name}: `kubewright {command}`");
            }
        }
    }
}
