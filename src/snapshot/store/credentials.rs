//! Who we are to an object store: from a file as Amazon's own tools have it, or from the environment. Read anew each
//! time, and never shown.

use std::path::Path;

use rusty_s3::Credentials;

use crate::regular_file;

/// The section of the file that is read.
const PROFILE: &str = "default";

/// The credentials in `file`, or those of the environment.
pub(super) fn read(file: Option<&Path>) -> Result<Credentials, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = variable("AWS_SHARED_CREDENTIALS_FILE");
    let file = match file {
        None if variable("AWS_ACCESS_KEY_ID").is_some() => None,
        None => named.as_deref().map(Path::new),
        file => file,
    };
    let Some(file) = file else {
        return from(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN"))
            .ok_or_else(|| {
                "the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and no file of credentials is \
                 named; set both, or name a file in AWS_SHARED_CREDENTIALS_FILE"
                    .to_owned()
            });
    };
    let text =
        regular_file::read_text(file, regular_file::SECRET).map_err(|error| format!("{}: {error}", file.display()))?;
    let field = |name| field(&text, name);
    from(field("aws_access_key_id"), field("aws_secret_access_key"), field("aws_session_token")).ok_or_else(|| {
        format!("{}: no aws_access_key_id and aws_secret_access_key in its section [{PROFILE}]", file.display())
    })
}

fn from(key: Option<String>, secret: Option<String>, token: Option<String>) -> Option<Credentials> {
    Some(match token {
        Some(token) => Credentials::new_with_token(key?, secret?, token),
        None => Credentials::new(key?, secret?),
    })
}

/// The value of `name` in the section that counts.
fn field(text: &str, name: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = section.trim() == PROFILE;
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == name
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_amazons_tools_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        std::fs::write(
            &path,
            "# a\n[other]\naws_access_key_id=no\n[default]\naws_access_key_id = a\naws_secret_access_key= b=\n",
        )
        .unwrap();
        let read = read(Some(&path)).unwrap();
        assert_eq!((read.key(), read.secret(), read.token()), ("a", "b=", None));
        std::fs::write(&path, "[default]\naws_access_key_id = hidden\n").unwrap();
        let error = super::read(Some(&path)).unwrap_err();
        assert!(error.contains("[default]") && !error.contains("hidden"), "{error}");
        assert!(super::read(Some(&directory.path().join("none"))).unwrap_err().contains("none"));
    }
}
