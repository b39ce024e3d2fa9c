//! What a scalar means where the schema wants a certain type. YAML's guesses are not taken over: what could be read in
//! two ways is an error that says how to write it.

use serde_json::Value;

use super::problems::Fault;
use super::tree::Scalar;

/// The types that the schema allows at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    /// Text.
    pub(super) text: bool,
    /// A whole number.
    pub(super) integer: bool,
    /// true or false.
    pub(super) boolean: bool,
}

/// Reads `scalar` as what is wanted.
pub(super) fn read(scalar: &Scalar, wanted: Wanted) -> Result<Value, Fault> {
    let text = scalar.text.as_str();
    if scalar.is_null() {
        return Err(Fault::new("a value is missing", "give it a value, or remove the key"));
    }
    if wanted.text && (!scalar.plain || scalar.substituted) {
        return Ok(Value::String(text.to_owned()));
    }
    if !scalar.plain && !scalar.substituted {
        let (what, hint) =
            if wanted.integer { ("a whole number", "without quotes") } else { ("true or false", "without quotes") };
        return Err(Fault::new(format!("{what} is expected here, not text"), format!("write it {hint}")));
    }
    match (wanted.text, wanted.integer, wanted.boolean) {
        (false, true, _) => integer(text).map(Value::from),
        (false, false, _) => boolean(text).map(Value::from),
        (true, whole, truth) => plain_text(text, whole, truth).map(Value::String),
    }
}

fn integer(text: &str) -> Result<i64, Fault> {
    let wrong = |hint: &str| Fault::new(format!("{text:?} is not a whole number"), hint);
    if is_decimal(text) {
        return text.parse().map_err(|_| wrong("it is far too large"));
    }
    let digits = text.trim_start_matches(['-', '+']);
    let hint = if digits.len() > 1 && digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit()) {
        "remove the leading zero, with which some read it as octal"
    } else if digits.contains('_') || digits.starts_with("0x") || digits.starts_with("0o") {
        "write it in decimal, digits only"
    } else {
        "write digits only"
    };
    Err(wrong(hint))
}

fn boolean(text: &str) -> Result<bool, Fault> {
    let wrong = |hint: &str| Fault::new(format!("{text:?} is not a boolean"), hint);
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => wrong("write `true`"),
            "false" | "no" | "off" | "n" | "0" => wrong("write `false`"),
            _ => wrong("write `true` or `false`"),
        }),
    }
}

fn plain_text(text: &str, integer: bool, boolean: bool) -> Result<String, Fault> {
    let quote = |what: &str| {
        Fault::new(format!("text is expected here, and {text} is {what}"), format!("write it in quotes: \"{text}\""))
    };
    match text {
        "true" | "false" if boolean => Ok(text.to_owned()),
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Err(quote("a boolean")),
        _ if integer && is_decimal(text) => Ok(text.to_owned()),
        _ if integer && looks_like_number(text) => Err(Fault::new(
            format!("{text} can be read in more than one way"),
            format!("write it in quotes, \"{text}\", or as a plain decimal number"),
        )),
        _ if looks_like_number(text) => Err(quote("a number")),
        _ => Ok(text.to_owned()),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits == "0" || (!digits.is_empty() && !digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit()))
}

/// Whether one version of YAML or another reads `text` as a number.
fn looks_like_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    let lower = digits.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    let radix = |prefix: &str, radix| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix) || c == '_'))
    };
    let starts = digits.strip_prefix('.').unwrap_or(digits).starts_with(|c: char| c.is_ascii_digit());
    radix("0x", 16) || radix("0o", 8) || radix("0b", 2) || (starts && digits.replace('_', "").parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.into(), plain: true, substituted: false, verbatim: None }
    }

    const TEXT: Wanted = Wanted { text: true, integer: false, boolean: false };
    const INTEGER: Wanted = Wanted { text: false, integer: true, boolean: false };
    const BOOLEAN: Wanted = Wanted { text: false, integer: false, boolean: true };
    const ANY: Wanted = Wanted { text: true, integer: true, boolean: true };

    #[test]
    fn what_has_one_meaning_is_taken() {
        for text in
            ["m1", "10.1.0.11", "no", "yes", "fd00::1", "12:30", "a-1", "1.2.3", "500ms", "8GiB", "-", "1e", "v1.2"]
        {
            assert_eq!(read(&plain(text), TEXT), Ok(Value::from(text)), "{text}");
        }
        for (text, value) in [("0", 0), ("22", 22), ("-1", -1)] {
            assert_eq!(read(&plain(text), INTEGER), Ok(Value::from(value)), "{text}");
            assert_eq!(read(&plain(text), ANY), Ok(Value::from(text)), "{text}");
        }
        assert_eq!(read(&plain("true"), BOOLEAN), Ok(Value::from(true)));
        assert_eq!(read(&plain("false"), ANY), Ok(Value::from("false")));
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        for text in
            ["1", "1.36", "0123", "1_000", "0x1F", "0o17", "1e5", ".5", ".inf", "+1", "true", "FALSE", "~", "", "Null"]
        {
            assert!(read(&plain(text), TEXT).is_err(), "{text}");
        }
        for text in ["022", "0x16", "1_000", "1.0", "1e3", "+1", "", "22a", "99999999999999999999", "~"] {
            assert!(read(&plain(text), INTEGER).is_err(), "{text}");
        }
        for text in ["yes", "no", "on", "off", "y", "True", "1", "null"] {
            assert!(read(&plain(text), BOOLEAN).is_err(), "{text}");
        }
        for text in ["1.10", "010", "True", "1_0"] {
            assert!(read(&plain(text), ANY).is_err(), "{text}");
        }
        assert!(read(&Scalar { plain: false, ..plain("22") }, INTEGER).is_err());
        assert!(read(&Scalar { plain: false, ..plain("true") }, BOOLEAN).is_err());
    }

    #[test]
    fn what_a_variable_holds_is_what_is_wanted() {
        let variable = |text| Scalar { substituted: true, ..plain(text) };
        for text in ["1", "true", "null", "", "~"] {
            assert_eq!(read(&variable(text), TEXT), Ok(Value::from(text)));
        }
        assert_eq!(read(&variable("22"), INTEGER), Ok(Value::from(22)));
        assert_eq!(read(&Scalar { plain: false, ..variable("22") }, INTEGER), Ok(Value::from(22)));
        assert!(read(&variable(""), INTEGER).is_err());
    }
}
