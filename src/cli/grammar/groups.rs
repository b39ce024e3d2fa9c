//! The verbs in the order in which a reader meets them.

use std::fmt::Write;

use clap::Command;

/// Every verb that is shown, by what it is for.
const GROUPS: &[(&str, &[&str])] = &[
    ("Begin", &["init", "validate", "hosts", "schema", "explain"]),
    ("Bring up and change", &["preflight", "plan", "install", "upgrade", "reset"]),
    ("Look", &["status", "report", "support", "check", "kubeconfig"]),
    ("Keep", &["etcd", "image"]),
    ("Try", &["lab"]),
    ("This program", &["help", "completion", "man", "host"]),
];

/// Replaces the list of verbs in the help by one in groups.
pub(super) fn arrange(command: Command) -> Command {
    let style = command.get_styles();
    let (head, word) = (*style.get_header(), *style.get_literal());
    let mut text = String::new();
    for (name, verbs) in GROUPS {
        let _ = writeln!(text, "{head}{name}:{head:#}");
        for verb in *verbs {
            let about = command.find_subcommand(verb).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {word}{verb:<11}{word:#} {}", first_thing(&about));
        }
        text.push('\n');
    }
    let topics = super::super::help::names().collect::<Vec<_>>().join(", ");
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{text}{head}Topics:{head:#} {topics}\n  `kubewright help TOPIC` and `kubewright help VERB` have more\n\n{head}Options:{head:#}\n{{options}}"
    );
    command.help_template(template)
}

/// The first thing that is said: one line in the list, the whole in the verb's own help.
fn first_thing(about: &str) -> &str {
    let end = [": ", "; ", ", and "].iter().filter_map(|end| about.find(end)).min();
    end.map_or(about, |end| &about[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_in_one_group() {
        let command = crate::cli::grammar::grammar();
        let mut shown: Vec<&str> =
            command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        shown.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(shown, grouped);
    }

    #[test]
    fn help_fits_a_small_terminal() {
        let text = crate::cli::grammar::grammar().render_help().to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 82, "{line}");
        }
        insta::assert_snapshot!(text);
    }
}
