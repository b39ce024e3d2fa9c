//! Whether the command lines of the documentation are ones that the program understands: asked of the program itself.

use std::path::Path;

use assert_cmd::Command;

use super::markdown::{self, Page};
use super::shell;

/// Verbs, topics and flags that are documented before they are there. An entry does nothing once the program knows it.
const SOON: &[&[&str]] = &[&["help"], &["man"], &["lab", "run"], &["report"], &["init", "--from"], &["--quiet"]];

/// A command line of the documentation.
struct Line {
    at: String,
    words: Vec<String>,
    form: Form,
}

/// How a command line stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// To be typed as it is.
    Whole,
    /// Spoken of: a verb, perhaps with a flag.
    Named,
}

/// The program, with nothing of this machine around it, in an empty directory.
pub(crate) fn kubewright(directory: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("kubewright"));
    command.env_clear().env("HOME", directory).current_dir(directory);
    command
}

#[test]
fn every_command_line_is_one_that_the_program_understands() {
    let directory = tempfile::tempdir().unwrap();
    let lines = lines();
    assert!(lines.len() > 100, "{} command lines are few", lines.len());
    let mut wrong = Vec::new();
    for line in &lines {
        if let Err(told) = understood(line, directory.path())
            && !is_soon(&line.words)
        {
            wrong.push(format!("{}: kubewright {}\n{told}", line.at, line.words.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{} command lines are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every command line: of shell blocks, of code in prose, and of the files in recipes/.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for page in markdown::book().into_iter().chain([markdown::page("README.md")]) {
        for fence in page.fences().iter().filter(|fence| fence.language() == "sh") {
            lines.extend(of_script(&page, fence.line, &fence.text, Form::Whole));
        }
        for (number, text) in page.prose() {
            for code in text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("kubewright ")) {
                // A line that goes on elsewhere, and one that speaks of any verb.
                if !code.contains('…') && !code.contains("VERB") {
                    lines.extend(of_script(&page, number - 1, code, Form::Named));
                }
            }
        }
    }
    for page in markdown::below("recipes") {
        lines.extend(of_script(&page, 0, &page.text, Form::Whole));
    }
    lines
}

fn of_script(page: &Page, before: usize, script: &str, form: Form) -> Vec<Line> {
    let line = |number: usize, words| Line { at: page.at(before + number), words, form };
    let commands = shell::commands(script);
    commands
        .iter()
        .flat_map(|(number, words)| shell::of_kubewright(words).into_iter().map(|own| line(*number, own)))
        .collect()
}

/// Asks for help at the end of the line: verbs, flags and values before it are read first, and nothing is done.
fn understood(line: &Line, directory: &Path) -> Result<(), String> {
    let end = line.words.iter().position(|word| word == "--").unwrap_or(line.words.len());
    let own = &line.words[..end];
    let output = kubewright(directory).args(own).arg("--help").output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    if line.form == Form::Whole && may_be_run(own) { complete(own, directory) } else { Ok(()) }
}

/// Whether a command ends before it does anything where the files that it names are not there.
fn may_be_run(words: &[String]) -> bool {
    let verb = words.first().map_or("", String::as_str);
    let names_inventory = words.iter().any(|word| word == "-i" || word == "--inventory");
    let in_buckets = words.iter().any(|word| word.starts_with("s3:"));
    verb != "lab" && (names_inventory || (verb == "etcd" && !in_buckets))
}

/// Runs a command where none of its files is there, to see that all arguments are given and go together.
fn complete(words: &[String], directory: &Path) -> Result<(), String> {
    // Never a file of whoever runs this.
    let nowhere = |word: &String| if word.starts_with('/') { format!("nowhere{word}") } else { word.clone() };
    let output = kubewright(directory).args(words.iter().map(nowhere)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // What clap refuses ends like this; what a verb refuses does not.
    if said.contains("try '--help'") || output.status.success() { Err(said) } else { Ok(()) }
}

fn is_soon(words: &[String]) -> bool {
    let has = |entry: &&&[&str]| match entry {
        [flag] if flag.starts_with('-') => words.iter().any(|word| word == flag),
        [verb, flag] if flag.starts_with('-') => {
            words.first().is_some_and(|w| w == verb) && words.iter().any(|w| w == flag)
        }
        verbs => words.len() >= verbs.len() && words.iter().zip(verbs.iter()).all(|(word, verb)| word == verb),
    };
    SOON.iter().any(|entry| has(&entry))
}

#[test]
fn what_the_program_does_not_understand_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let told = |text: &str| {
        let words = text.split(' ').map(str::to_owned).collect();
        understood(&Line { at: String::new(), words, form: Form::Whole }, directory.path())
    };
    for good in ["plan -i a.yaml", "lab up --masters 1", "lab exec -- rm -rf /", "etcd restore -i a.yaml --undo"] {
        assert_eq!(told(good), Ok(()), "{good}");
    }
    for bad in ["paln -i a.yaml", "plan -i a.yaml --rpune everything", "lab up --masters many", "plan -i a.yaml -o xml"]
    {
        assert!(told(bad).is_err(), "{bad}");
    }
    // All of it is known, and does not go together.
    assert!(told("etcd restore -i a.yaml --undo --resume").is_err());
    assert!(told("etcd move-leader -i a.yaml").is_err());
    assert!(told("etcd snapshot verify --deep /backup").is_err());
}
