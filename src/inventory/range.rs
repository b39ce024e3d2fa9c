//! Ranges of names and addresses: `m[1-3]`, `n[001-040]`, `n[01-10,15]`, `r[1-2]n[1-8]`.

use std::iter;
use std::ops::RangeInclusive;

/// Most texts that one pattern may stand for.
pub(super) const LIMIT: usize = 10_000;

/// The texts that `pattern` stands for, in order; the last range varies fastest. A pattern without brackets stands for
/// itself. Bounds with leading zeros are filled up to the same width.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let (parts, rest) = parts(pattern)?;
    let mut texts = vec![String::new()];
    for (before, runs) in &parts {
        let numbers: Vec<String> = runs.iter().flat_map(Run::texts).collect();
        texts =
            texts.iter().flat_map(|text| numbers.iter().map(move |number| format!("{text}{before}{number}"))).collect();
    }
    for text in &mut texts {
        text.push_str(rest);
    }
    Ok(texts)
}

/// How many texts `pattern` stands for, without a look at each.
pub(super) fn count(pattern: &str) -> Result<usize, String> {
    Ok(parts(pattern)?.0.iter().map(|(_, runs)| length(runs)).product())
}

/// What a list between brackets has at one place.
enum Run<'p> {
    /// A number as it is written.
    One(&'p str),
    /// All numbers between two, filled up to a width.
    Many(RangeInclusive<u32>, usize),
}

impl Run<'_> {
    fn length(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(numbers, _) => (numbers.end() - numbers.start()) as usize + 1,
        }
    }

    fn texts(&self) -> Vec<String> {
        match self {
            Self::One(number) => vec![(*number).to_owned()],
            Self::Many(numbers, width) => numbers.clone().map(|number| format!("{number:0width$}")).collect(),
        }
    }
}

fn length(runs: &[Run<'_>]) -> usize {
    runs.iter().map(Run::length).sum()
}

/// The lists of a pattern, each with the text before it; and the text behind the last one.
type Parts<'p> = (Vec<(&'p str, Vec<Run<'p>>)>, &'p str);

fn parts(pattern: &str) -> Result<Parts<'_>, String> {
    let (mut parts, mut count, mut rest) = (Vec::new(), 1_usize, pattern);
    while let Some(open) = rest.find(['[', ']']) {
        let (before, bracketed) = rest.split_at(open);
        let Some(inside) = bracketed.strip_prefix('[') else {
            return Err(format!("the range {pattern:?} has a ']' without a '['"));
        };
        let Some((list, after)) = inside.split_once(']') else {
            return Err(format!("the range {pattern:?} has a '[' without a ']'"));
        };
        let runs = runs(list).map_err(|why| format!("the range {pattern:?} {why}"))?;
        count *= length(&runs);
        if count > LIMIT {
            return Err(too_many(pattern));
        }
        parts.push((before, runs));
        rest = after;
    }
    Ok((parts, rest))
}

/// Whether `pattern` has a range in it.
pub(super) fn is_range(pattern: &str) -> bool {
    pattern.contains(['[', ']'])
}

fn too_many(pattern: &str) -> String {
    format!("the range {pattern:?} stands for more than {LIMIT} values")
}

/// The numbers of a list such as `1-3,7`, with their leading zeros.
fn runs(list: &str) -> Result<Vec<Run<'_>>, String> {
    let (mut runs, mut count) = (Vec::new(), 0);
    for item in list.split(',') {
        match item.split_once('-') {
            None => {
                number(item)?;
                runs.push(Run::One(item));
                count += 1;
            }
            Some((first, last)) => {
                let (from, to) = (number(first)?, number(last)?);
                if from > to {
                    return Err(format!("runs backwards: {first} is more than {last}"));
                }
                let width = width(first, last)?;
                if (to - from) as usize >= LIMIT {
                    return Err(format!("stands for more than {LIMIT} values"));
                }
                runs.push(Run::Many(from..=to, width));
                count += (to - from) as usize + 1;
            }
        }
        if count > LIMIT {
            return Err(format!("stands for more than {LIMIT} values"));
        }
    }
    Ok(runs)
}

fn number(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("has an empty bound; write it like [1-3] or [1,4]".into());
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_digit()) {
        return Err(format!("contains {bad:?} between its brackets; only numbers, '-' and ',' are allowed"));
    }
    text.parse().map_err(|_| format!("contains the number {text}, which is too large"))
}

/// The width to fill up to: that of the bounds, where one of them has a leading zero.
fn width(first: &str, last: &str) -> Result<usize, String> {
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    match (padded(first), padded(last)) {
        (false, false) => Ok(0),
        (true, false) if first.len() <= last.len() => Ok(first.len()),
        _ if first.len() == last.len() => Ok(first.len()),
        _ => Err(format!("fills {first} and {last} up to different widths")),
    }
}

/// `values` brought to `length`: as many values as that, or one for all.
pub(super) fn stretch(values: Vec<String>, length: usize) -> Result<Vec<String>, usize> {
    match values.as_slice() {
        [one] => Ok(iter::repeat_n(one.clone(), length).collect()),
        many if many.len() == length => Ok(values),
        many => Err(many.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_expand_in_order() {
        for (pattern, texts) in [
            ("m1", vec!["m1"]),
            ("", vec![""]),
            ("m[1-3]", vec!["m1", "m2", "m3"]),
            ("n[08-11]", vec!["n08", "n09", "n10", "n11"]),
            ("n[01-03,15]", vec!["n01", "n02", "n03", "n15"]),
            ("n[099-101]", vec!["n099", "n100", "n101"]),
            ("n[9-11]", vec!["n9", "n10", "n11"]),
            ("n[0-2]", vec!["n0", "n1", "n2"]),
            ("r[1-2]n[1-2]x", vec!["r1n1x", "r1n2x", "r2n1x", "r2n2x"]),
            ("10.1.[0-1].[7,9]", vec!["10.1.0.7", "10.1.0.9", "10.1.1.7", "10.1.1.9"]),
            ("[5]", vec!["5"]),
        ] {
            assert_eq!(expand(pattern).unwrap(), texts, "{pattern}");
            assert_eq!(count(pattern), Ok(texts.len()), "{pattern}");
        }
    }

    #[test]
    fn broken_ranges_say_why() {
        for (pattern, why) in [
            ("m[1-3", "has a '[' without a ']'"),
            ("m1-3]", "has a ']' without a '['"),
            ("m[[1-2]]", "contains '['"),
            ("m[]", "empty bound"),
            ("m[1-]", "empty bound"),
            ("m[1,,2]", "empty bound"),
            ("m[a-c]", "contains 'a'"),
            ("m[1-2-3]", "contains '-'"),
            ("m[3-1]", "runs backwards: 3 is more than 1"),
            ("m[01-003]", "different widths"),
            ("m[001-10]", "different widths"),
            ("m[1-99999999999]", "too large"),
            ("m[1-4000000000]", "more than 10000 values"),
            ("m[1-200][1-200]", "more than 10000 values"),
        ] {
            let error = expand(pattern).unwrap_err();
            assert!(error.contains(why), "{pattern}: {error}");
        }
    }

    #[test]
    fn one_value_does_for_all_and_other_lengths_do_not() {
        assert_eq!(stretch(vec!["a".into()], 2), Ok(vec!["a".into(), "a".into()]));
        assert_eq!(stretch(vec!["a".into(), "b".into()], 2), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(stretch(vec!["a".into(), "b".into()], 3), Err(2));
    }

    proptest! {
        #[test]
        fn any_range_is_the_numbers_between_its_bounds(from in 0_u32..5000, length in 0_u32..200, width in 0_usize..6) {
            let to = from + length;
            let width = if format!("{to}").len() <= width { width } else { 0 };
            let texts = expand(&format!("n[{from:0width$}-{to:0width$}]")).unwrap();
            prop_assert_eq!(texts.len(), length as usize + 1);
            for (offset, text) in texts.iter().enumerate() {
                prop_assert_eq!(text[1..].parse::<u32>().unwrap(), from + offset as u32);
                prop_assert!(width == 0 || text.len() == width + 1);
            }
        }

        #[test]
        fn text_without_brackets_stands_for_itself(text in "[^\\[\\]]*") {
            prop_assert_eq!(expand(&text).unwrap(), vec![text]);
        }

        #[test]
        fn no_text_panics_or_explodes(text in "[n\\[\\]0-9,-]{0,24}") {
            if let Ok(texts) = expand(&text) {
                prop_assert!(texts.len() <= LIMIT);
            }
        }
    }
}
