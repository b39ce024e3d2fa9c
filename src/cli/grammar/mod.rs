//! The command line as a whole: what the verbs declare, in groups, with an environment variable for every flag, the
//! defaults of the configuration file, and completion. Nothing here knows what a verb does.

mod complete;
mod defaults;
mod environment;
mod groups;

use clap::{Arg, Command};

pub(super) use complete::{complete, registration};
pub(super) use complete::{hosts_of_inventory, hosts_of_lab};
pub(super) use defaults::Defaults;

/// The grammar, without what only this machine has.
pub(super) fn grammar() -> Command {
    environment::name(groups::arrange(<super::Arguments as clap::CommandFactory>::command()))
}

/// Passes every flag of `command` and of the verbs below it through `change`, with the path of its verb: `lab up`.
/// Hidden verbs are for kubewright itself, and left as they are.
fn each_flag(command: Command, path: &str, change: &mut dyn FnMut(&str, Arg) -> Arg) -> Command {
    let command = command.mut_args(|arg| if arg.get_long().is_some() { change(path, arg) } else { arg });
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(&name, |verb| {
            let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
            if verb.is_hide_set() { verb } else { each_flag(verb, &path, change) }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_has_no_contradictions() {
        grammar().debug_assert();
    }

    #[test]
    fn every_verb_says_what_it_does() {
        fn look(command: &Command, path: &str, silent: &mut Vec<String>) {
            for verb in command.get_subcommands() {
                let path = format!("{path} {}", verb.get_name());
                if verb.get_about().is_none() {
                    silent.push(path.clone());
                }
                silent.extend(
                    verb.get_arguments()
                        .filter(|arg| arg.get_help().is_none())
                        .map(|arg| format!("{path} {}", arg.get_id())),
                );
                look(verb, &path, silent);
            }
        }
        let mut silent = Vec::new();
        look(&grammar(), "kubewright", &mut silent);
        assert!(silent.is_empty(), "{silent:?}");
    }
}
