//! Takes the command lines of kubewright out of shell scripts: enough of the shell's grammar for documentation.

/// Commands of a script, each as its words, with the number of its line.
pub(crate) fn commands(script: &str) -> Vec<(usize, Vec<String>)> {
    let mut commands = Vec::new();
    let mut number = 0;
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        number += 1;
        let first = number;
        let mut line = line.to_owned();
        while let Some(begin) = line.strip_suffix('\\') {
            number += 1;
            line = format!("{begin} {}", lines.next().unwrap_or_default());
        }
        commands.extend(split(&line).into_iter().map(|words| (first, words)));
    }
    commands
}

/// The commands of one line. What quotes hold is one word; a comment ends it.
fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, '#') if word.is_none() => break,
            (None, ' ' | '\t') => commands.last_mut().unwrap().extend(word.take()),
            (None, ';' | '|' | '&' | '(' | ')') => {
                commands.last_mut().unwrap().extend(word.take());
                commands.push(Vec::new());
            }
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    commands.last_mut().unwrap().extend(word.take());
    commands.retain(|words| !words.is_empty());
    commands
}

/// The arguments of kubewright in a command, and those of each kubewright that it has others start.
pub(crate) fn of_kubewright(words: &[String]) -> Vec<Vec<String>> {
    let is_it = |word: &String| word == "kubewright" || word.ends_with("bin/kubewright");
    let before = |word: &String| {
        word.contains('=')
            || word.starts_with('-')
            || word.ends_with(':')
            || ["sudo", "exec", "if", "!", "env", "then", "do"].contains(&word.as_str())
    };
    let mut found = Vec::new();
    // Programs that start others: flock FILE kubewright …, ExecStart=/usr/bin/kubewright ….
    let start = words.iter().position(|word| is_it(word.rsplit_once("ExecStart=").map_or(word, |_| word)));
    if let Some(start) = start {
        // A line of a crontab names root, or whoever it is for.
        let by = |word: &String| ["flock", "root"].contains(&word.as_str());
        let led = words[..start].iter().all(before) || words[..start].iter().any(by);
        if led {
            let all = &words[start + 1..];
            let own = all.iter().take_while(|word| !word.starts_with(['>', '<']) && !word.starts_with("2>"));
            let own: Vec<String> = own.cloned().collect();
            let end = own.iter().position(|word| word == "--").unwrap_or(own.len());
            if let Some(behind) = own.get(end + 1..) {
                found.extend(of_kubewright(behind));
            }
            found.push(own);
        }
    }
    // sh -c '…'.
    if let [shell, flag, script, ..] = words
        && shell == "sh"
        && flag == "-c"
    {
        found.extend(commands(script).iter().flat_map(|(_, words)| of_kubewright(words)));
    }
    found
}

#[test]
fn kubewright_is_found_wherever_it_is_started() {
    let script = "# kubewright no\nkubewright plan -i a.yaml   # yes\nsudo kubewright lab exec -- sh -c 'kubewright status | cat'\n\
                  A=b kubewright etcd \\\n  members >log 2>&1 || x $?\necho kubewright\n*/30 * * * * root flock -n l kubewright schema -q >>log\n\
                  ExecStart=/usr/local/bin/kubewright init --name 'a b'\n";
    let found: Vec<String> = commands(script)
        .iter()
        .flat_map(|(line, words)| {
            of_kubewright(words).into_iter().map(move |words| format!("{line} {}", words.join("|")))
        })
        .collect();
    assert_eq!(
        found,
        [
            "2 plan|-i|a.yaml",
            "3 status",
            "3 lab|exec|--|sh|-c|kubewright status | cat",
            "4 etcd|members",
            "7 schema|-q",
            "8 init|--name|a b"
        ]
    );
}
