//! The text form of metrics, as far as it is needed: samples of one name.

use std::collections::BTreeMap;

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// Labels by name.
    pub(super) labels: BTreeMap<String, String>,
    /// Its value.
    pub(super) value: f64,
}

/// The samples called `name`. Lines that are none are passed over: whoever writes the text knows more forms than we.
pub(super) fn samples(text: &str, name: &str) -> Vec<Sample> {
    text.lines().filter_map(|line| sample(line.strip_prefix(name)?)).collect()
}

/// What follows the name: `{a="b"} 1`, or ` 1`, each with a time at the end perhaps.
fn sample(rest: &str) -> Option<Sample> {
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None if rest.starts_with([' ', '\t']) => (BTreeMap::new(), rest),
        // Another metric whose name begins alike.
        None => return None,
    };
    Some(Sample { labels, value: rest.split_whitespace().next()?.parse().ok()? })
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(name.trim().to_owned(), value);
        rest = after;
    }
}

/// A value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[position + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a help\n# TYPE a gauge\na{b=\"c\",d=\"\"} 1\na{b=\"x,} \\\"y\\\" \\\\ \\n\"} 2.5 1700000000\n\
                    a 3\nab{b=\"c\"} 4\na_total 5\n";
        let found: Vec<_> = samples(text, "a")
            .into_iter()
            .map(|sample| (sample.labels.into_iter().collect::<Vec<_>>(), sample.value))
            .collect();
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            [(vec![label("b", "c"), label("d", "")], 1.0), (vec![label("b", "x,} \"y\" \\ \n")], 2.5), (vec![], 3.0),]
        );
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in ["a", "a{", "a{b", "a{b=\"c", "a{b=\"c\"}", "a{b=\"c\"} x", "a{b=\"c\\", "", "a{}"] {
            assert_eq!(samples(line, "a"), [], "{line}");
        }
        assert_eq!(samples("a{} 1", "a").len(), 1);
    }
}
