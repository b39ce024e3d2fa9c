//! The one place where a command line for another shell is built.

/// Quotes `argument` so that a shell passes it on unchanged. Single quotes mean the same to POSIX shells, csh and
/// fish, as long as the text has neither `!` nor a newline (csh) nor a backslash (fish).
fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%_+=:,./-".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// The command line that runs `arguments`.
pub(super) fn command_line(arguments: &[&str]) -> String {
    arguments.iter().map(|argument| quote(argument)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    // The property is about real shells, so the tests start some; nothing else in this module starts processes.
    #![allow(clippy::disallowed_methods)]

    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quoting_is_stable() {
        for (argument, quoted) in [
            ("", "''"),
            ("plain-1.2_3/x=y,z:%@+", "plain-1.2_3/x=y,z:%@+"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("'", r"''\'''"),
            ("$(reboot) `x` $HOME", "'$(reboot) `x` $HOME'"),
            ("a\nb", "'a\nb'"),
            ("~root", "'~root'"),
            ("*", "'*'"),
            ("日本", "'日本'"),
            ("a;b|c&d>e<f", "'a;b|c&d>e<f'"),
        ] {
            assert_eq!(quote(argument), quoted);
        }
    }

    fn through(shell: &str, arguments: &[&str]) -> Vec<String> {
        let line = command_line(&[&["printf", r"%s\0"], arguments].concat());
        let output = Command::new(shell).args(["-c", &line]).output().unwrap();
        assert!(output.status.success(), "{shell} refused {line}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_shell_gives_back_what_was_quoted(arguments in prop::collection::vec("[^\0]{0,12}", 1..5)) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            for shell in ["sh", "bash"] {
                prop_assert_eq!(through(shell, &arguments), arguments.clone());
            }
        }
    }
}
