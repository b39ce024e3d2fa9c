//! The header `WWW-Authenticate`: how a registry wants to be asked.

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with every request.
    Basic,
    /// A token, which `realm` hands out.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// Name of the registry there.
        service: Option<String>,
    },
}

/// The first challenge that can be answered, of all values of the header.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let challenges: Vec<_> = headers.filter_map(one).collect();
    // A token is worth less to whoever steals it than a password is.
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

fn one(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            let parameters = parameters(rest);
            let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            Some(Challenge::Bearer { realm: value("realm")?, service: value("service") })
        }
        _ => None,
    }
}

/// `name="value",name=value`; names in lower case.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, after) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        found.push((name, value));
        rest = after;
    }
    found
}

/// The text before the closing quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (value, &text[position + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_understood() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.into(), service: service.map(Into::into) })
        };
        for (header, challenge) in [
            (r#"Basic realm="Registry""#, Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#,
                bearer("https://auth.example/token", Some("r.example")),
            ),
            (r#"BEARER scope="x,y=z", Realm=https://a.example/t"#, bearer("https://a.example/t", None)),
            (r#"Bearer realm="https://a.example/\"q\"""#, bearer("https://a.example/\"q\"", None)),
            (r#"Bearer service="r.example""#, None),
            (r#"Bearer realm="unclosed"#, bearer("unclosed", None)),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(parse([header].into_iter()), challenge, "{header}");
        }
        let both = [r#"Basic realm="r""#, r#"Bearer realm="https://a.example""#];
        assert_eq!(parse(both.into_iter()), bearer("https://a.example", None));
    }
}
