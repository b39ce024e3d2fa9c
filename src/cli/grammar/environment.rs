//! An environment variable for every flag. Flags that several verbs share have declared theirs (`KUBEWRIGHT_INVENTORY`);
//! the others are named by their verb: `kubewright lab up --masters` is `KUBEWRIGHT_LAB_UP_MASTERS`.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command};

/// Names a variable for every flag that has none, and lets switches be `1`, `yes` and `on` there.
pub(super) fn name(command: Command) -> Command {
    super::each_flag(command, "", &mut |path, arg| {
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()),
            _ => arg,
        };
        if arg.get_env().is_some() {
            return arg;
        }
        // Not in every help text: the rule is told by `kubewright help environment`.
        let name = variable(path, &arg);
        arg.env(name).hide_env(true)
    })
}

fn variable(path: &str, arg: &Arg) -> String {
    let words = path.split(' ').chain(arg.get_long()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(|word| word.replace('-', "_").to_uppercase()).collect();
    format!("KUBEWRIGHT_{}", words.join("_"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    #[test]
    fn every_flag_has_a_variable_and_no_two_unlike_flags_share_one() {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let command = crate::cli::grammar::grammar();
        crate::cli::grammar::each_flag(command, "", &mut |path, arg| {
            let name =
                arg.get_env().unwrap_or_else(|| panic!("{path} {}", arg.get_id())).to_string_lossy().into_owned();
            let flag = arg.get_long().unwrap_or_default().to_owned();
            assert!(name.starts_with("KUBEWRIGHT_"), "{name}");
            let first = seen.entry(name.clone()).or_insert_with(|| flag.clone());
            assert_eq!(*first, flag, "{name}");
            arg
        });
        assert_eq!(seen.get("KUBEWRIGHT_LAB_UP_MASTERS").map(String::as_str), Some("masters"));
        assert_eq!(seen.get("KUBEWRIGHT_INVENTORY").map(String::as_str), Some("inventory"));
    }
}
