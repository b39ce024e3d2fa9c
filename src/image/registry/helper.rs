//! Programs that keep logins: `docker-credential-NAME get`, with the registry on standard input.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::login::Credentials;

/// A helper may ask a server of its own; it must not hang a run.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// What the helper called `name` has for `server`; `None` when it has nothing.
pub(super) async fn get(name: &str, server: &str) -> Result<Option<Credentials>, String> {
    if name.contains('/') {
        return Err(format!("the credential helper {name:?} is no name"));
    }
    let program = format!("docker-credential-{name}");
    let failed = |error: std::io::Error| format!("cannot run {program} get: {error}");
    let child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read its input tells what it lacks by its exit.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await;
    let output = output.map_err(|_| format!("{program} get did not end within {} s", DEADLINE.as_secs()))?;
    let output = output.map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return parse(&text).map_err(|reason| format!("{program} get answered something else than a login: {reason}"));
    }
    // The protocol has no code for this, but the text is the same in all of them.
    if text.contains("credentials not found") {
        return Ok(None);
    }
    let said = [text.trim(), String::from_utf8_lossy(&output.stderr).trim()].join(" ");
    Err(format!("{program} get failed ({}): {}", output.status, said.trim()))
}

fn parse(text: &str) -> Result<Option<Credentials>, String> {
    // Positions only: the text is secret.
    let reply: Reply =
        serde_json::from_str(text).map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
    Ok(match (reply.username.as_str(), reply.secret.is_empty()) {
        (_, true) => None,
        ("<token>", false) => Some(Credentials::IdentityToken(reply.secret)),
        (_, false) => Some(Credentials::Password { user: reply.username, password: reply.secret }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_understood() {
        let password = Credentials::Password { user: "ops".into(), password: "pw".into() };
        assert_eq!(parse(r#"{"ServerURL":"r.example","Username":"ops","Secret":"pw"}"#).unwrap(), Some(password));
        let token = Credentials::IdentityToken("t".into());
        assert_eq!(parse(r#"{"Username":"<token>","Secret":"t"}"#).unwrap(), Some(token));
        assert_eq!(parse(r#"{"Username":"","Secret":""}"#).unwrap(), None);
        let error = parse(r#"{"Secret":"hush","Username":7}"#).unwrap_err();
        assert!(!error.contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn a_helper_that_is_missing_is_named() {
        let error = get("nobody-has-this", "r.example").await.unwrap_err();
        assert!(error.contains("docker-credential-nobody-has-this get"), "{error}");
        assert!(get("../x", "r.example").await.is_err());
    }
}
