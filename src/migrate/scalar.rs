//! Values as YAML on one line, so that an inventory reads them back as they are.

use serde_json::Value;

/// A value in flow style.
pub(in crate::migrate) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => write(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", write(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Text, in quotes unless nobody could take it for anything else.
pub(in crate::migrate) fn write(text: &str) -> String {
    // The inventory puts variables in where they are named; here they are what the source says.
    let text = text.replace("${", "$${");
    if is_plain(&text) { text } else { Value::String(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | '+' | '@' | ':' | '~' | '=');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/'))
        || text.starts_with("~/")
        || text.split('/').next().is_some_and(|address| address.parse::<std::net::Ipv4Addr>().is_ok());
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let quantity = digits.len() < text.len() && ["ms", "s", "m", "h", "d", "B", "KiB", "MiB", "GiB"].contains(&digits);
    let taken = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    (begins || quantity)
        && !text.ends_with(':')
        && text.chars().all(word)
        && !taken.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::migrate::document;

    #[test]
    fn only_what_cannot_be_mistaken_is_plain() {
        for plain in [
            "node1",
            "10.0.0.1",
            "10.0.0.0/8",
            "~/.ssh/id",
            "/dev/sdb",
            "oci:images/kubernetes",
            "a=b",
            "fd00::1",
            "250ms",
            "8GiB",
        ] {
            assert_eq!(write(plain), plain);
        }
        for quoted in [
            "", "1", "1.20", "true", "No", "a: b", "a #b", "a:", "- a", "{a", "*a", "a,b", "::1", "1e5", "0x1", "10.0",
            "ü",
        ] {
            assert_eq!(write(quoted), format!("\"{quoted}\""));
        }
        assert_eq!(write("a${B}"), "\"a$${B}\"");
        assert_eq!(flow(&json!({"a": [1, "2", true], "b/c.d": {}})), "{a: [1, \"2\", true], b/c.d: {}}");
    }

    proptest::proptest! {
        #[test]
        fn text_is_read_back_as_it_is(text in "\\PC*|[ -~\n\t]*") {
            let read = document::read("a", &format!("k: [{}]\n", write(&text))).unwrap();
            let back = read[0].get("k").unwrap().items()[0].text().unwrap_or_default().to_owned();
            proptest::prop_assert_eq!(back, text.replace("${", "$${"));
        }
    }
}
