//! Secrets of every kind, planted in whatever they may stand in; and lines of logs that have none.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::{Known, STRUCK, json as redact_json, text};

fn shown(given: &str) -> String {
    text(given, &Known::default())
}

/// Before every line of a log.
const PREFIXES: [&str; 4] = [
    "",
    "2026-11-30T01:36:48.123456789Z stderr F ",
    "2026-11-30T01:36:48+0000 m1 kubelet[812]: ",
    "2026-11-30T01:36:48+0000 m1 kubelet[812]: E1130 01:36:48.123456     812 reflector.go:147] ",
];

fn bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), length)
}

/// Secrets that are known by their shape, wherever they stand.
fn shaped() -> impl Strategy<Value = String> {
    prop_oneof![
        (bytes(20..60), bytes(20..60)).prop_map(|(claims, signature)| {
            let claims = [&b"{\"iss\":\""[..], &claims].concat();
            let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
            format!("{}.{}.{}", encode(b"{\"alg\":\"RS256\"}"), encode(&claims), encode(&signature))
        }),
        "[a-z0-9]{6}\\.[a-z0-9]{16}",
        "AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}",
        "(AKIA|ASIA)[A-Z0-9]{16}",
        bytes(30..31).prop_map(|secret| BASE64_STANDARD.encode(secret)).prop_filter("of all kinds", |secret| {
            ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"]
                .iter()
                .all(|kind| secret.contains(|c| kind.contains(c)))
        }),
        bytes(600..601).prop_map(|secret| {
            let kubeconfig = format!("users:\n- user:\n    client-key-data: {}\n", BASE64_STANDARD.encode(secret));
            BASE64_STANDARD.encode(kubeconfig)
        }),
    ]
}

/// What a shaped secret stands in.
fn in_shapes(secret: &str) -> Vec<String> {
    let quoted = json!({ "args": ["x", secret], "n": 1 }).to_string();
    vec![
        secret.to_owned(),
        format!("the node joins with {secret} now"),
        format!("{{a: {secret}, b: c}}"),
        format!("a: {secret}"),
        format!("--join={secret} --v=2"),
        format!("--join {secret}"),
        format!("JOIN={secret}"),
        format!("'{secret}',"),
        format!("Authorization: Bearer {secret}"),
        json!({ "message": quoted }).to_string(),
        quoted,
        json!({ "message": format!("a\n{secret}\nb") }).to_string(),
    ]
}

/// What a password stands in; `p` is one without quotes and brackets.
fn in_names(p: &str) -> Vec<String> {
    let quoted = json!({ "user": "me", "password": p, "n": 1 }).to_string();
    vec![
        format!("password: {p}"),
        format!("  dbPassword:   {p}"),
        format!("passwd={p}"),
        format!("export DB_PASSWORD={p}"),
        format!("DB_PASSWORD='{p}'"),
        format!("login failed with password={p} for user=me"),
        format!("login failed with password: {p}"),
        format!("{{user: me, password: {p}}}"),
        format!("run --password={p} --v=2"),
        format!("run --password {p} --v=2"),
        format!("    auth_pass {p}"),
        format!("  password \"{p}\";"),
        format!("client-key-data: {p}"),
        format!("aws_secret_access_key = {p}"),
        format!("secret: {p}"),
        format!("token: \"{p}\""),
        format!("password: |\n  {p}\n"),
        format!("password:\n    {p}\n"),
        format!("- name: DB_PASSWORD\n  value: {p}\n"),
        format!("apiVersion: v1\ndata:\n  any: {p}\nkind: Secret\n"),
        json!({ "kind": "Secret", "data": { "any": p } }).to_string(),
        json!({ "env": [{ "name": "DB_PASSWORD", "value": p }] }).to_string(),
        serde_json::to_string_pretty(&json!({ "env": [{ "name": "DB_PASSWORD", "value": p }] })).unwrap(),
        json!({ "args": ["--password", p, "--v=2"] }).to_string(),
        json!({ "args": [format!("--password={p}"), "--v=2"] }).to_string(),
        json!({ "message": quoted }).to_string(),
        quoted,
    ]
}

/// Each line of `document` behind `prefix`, among other lines.
fn logged(prefix: &str, document: &str) -> String {
    let lines: String = document.lines().map(|line| format!("{prefix}{line}\n")).collect();
    format!("{prefix}Starting\n{lines}{prefix}Started\n")
}

/// Whether any part of a secret that is of use is there.
fn survives(shown: &str, secret: &str) -> bool {
    let part = secret.len().min(12);
    secret.as_bytes().windows(part).any(|window| shown.as_bytes().windows(part).any(|other| other == window))
}

/// Words of logs.
fn ordinary() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z]{1,12}",
        "[A-Z][a-z]{2,10}([A-Z][a-z]{2,10}){0,4}",
        "[0-9]{1,9}",
        "[0-9a-f]{64}",
        "sha256:[0-9a-f]{64}",
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
        "/(var|etc|opt)/[a-z]{2,8}/[a-z]{2,8}(/[a-z0-9-]{2,12}){0,5}",
        "(10|172)\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}:[0-9]{2,5}",
        "https://[a-z]{3,8}\\.example:6443/api/v1/[a-z]{4,10}\\?limit=500",
        "(pod|node|err|unit)=\"[a-z]{2,8}(/[a-z0-9-]{2,20})?\"",
        "\\{[a-z]{3,6}: [a-z0-9]{1,8}, [a-z]{3,6}: [0-9]{1,5}\\}",
        "registry\\.example/[a-z]{3,9}/[a-z-]{3,12}:v[0-9]\\.[0-9]{1,2}\\.[0-9]{1,2}",
    ];
    // Made of letters, some words are names of secrets.
    let other = |line: &String| {
        let line = line.to_lowercase();
        !["pass", "tok", "secr", "cred", "auth", "key", "cookie", "psk"].iter().any(|part| line.contains(part))
    };
    prop::collection::vec(word, 1..12).prop_map(|words| words.join(" ")).prop_filter("of no secret", other)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_secret_with_a_shape_never_survives(secret in shaped(), prefix in 0..PREFIXES.len()) {
        for document in in_shapes(&secret) {
            let log = logged(PREFIXES[prefix], &document);
            let shown = shown(&log);
            prop_assert!(!survives(&shown, &secret), "{}\n{}", log, shown);
            prop_assert!(shown.contains("Starting") && shown.contains("Started"), "{}", shown);
        }
    }

    #[test]
    fn a_secret_with_a_name_never_survives(secret in "[a-zA-Z0-9!@#$%^*_+.~-]{7,24}x", prefix in 0..PREFIXES.len()) {
        prop_assume!(!secret.starts_with('-'));
        for document in in_names(&secret) {
            let log = logged(PREFIXES[prefix], &document);
            let shown = shown(&log);
            prop_assert!(!shown.contains(&secret), "{}\n{}", log, shown);
            prop_assert!(shown.contains("Starting") && shown.contains("Started"), "{}", shown);
        }
    }

    #[test]
    fn a_secret_in_quotes_never_survives(secret in "[ -~]{7,24}x") {
        prop_assume!(!secret.contains("://"));
        let inner = json!({ "password": secret, "n": 1 }).to_string();
        let outer = json!({ "message": inner }).to_string();
        let shown_outer = shown(&outer);
        let escaped = serde_json::to_string(&secret).unwrap();
        let escaped = escaped.trim_matches('"');
        prop_assert!(!shown(&inner).contains(escaped), "{}\n{}", inner, shown(&inner));
        let twice = serde_json::to_string(escaped).unwrap();
        prop_assert!(!shown_outer.contains(twice.trim_matches('"')), "{}\n{}", outer, shown_outer);
    }

    #[test]
    fn a_private_key_never_survives(der in bytes(100..1200), wrap in 0..5_usize, prefix in 0..PREFIXES.len(), cut in 0..3) {
        let body = BASE64_STANDARD.encode(&der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let kind = ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "][wrap];
        let pem = format!("-----BEGIN {kind}PRIVATE KEY-----\n{}\n-----END {kind}PRIVATE KEY-----\n", lines.join("\n"));
        let indented: String = pem.lines().map(|line| format!("    {line}\n")).collect();
        let mut documents = vec![
            pem.clone(),
            format!("key: |\n{indented}next: x"),
            json!({ "key": pem, "n": 1 }).to_string(),
            json!({ "message": json!({ "key": pem }).to_string() }).to_string(),
            format!("KEY='{pem}'"),
            format!("client-key-data: {}", BASE64_STANDARD.encode(&pem)),
        ];
        // The beginning, or the end, of a log is somewhere in a key.
        match cut {
            0 => {}
            1 => documents = vec![pem.lines().skip(1).map(|line| format!("{line}\n")).collect()],
            _ => documents = vec![pem.lines().take(lines.len()).map(|line| format!("{line}\n")).collect()],
        }
        for document in documents {
            let log: String = document.lines().map(|line| format!("{}{line}\n", PREFIXES[prefix])).collect();
            let shown = shown(&log);
            for line in &lines {
                prop_assert!(line.len() < 4 || !shown.contains(line), "{}\n{}", log, shown);
            }
        }
    }

    #[test]
    fn a_login_in_an_address_never_survives(secret in "[a-zA-Z0-9!$&()*+,;=._~%-]{6,24}", scheme in "(https?|postgres|amqp|redis)") {
        let line = format!("dial {scheme}://me:{secret}@db.example:5432/x?y=z: refused");
        let shown = shown(&line);
        prop_assert!(!shown.contains(&format!(":{secret}@")), "{}", shown);
        prop_assert!(shown.contains("@db.example:5432"), "{}", shown);
    }

    #[test]
    fn a_known_value_never_survives(secret in "[ -~]{8,30}", before in "[a-z]{0,9}") {
        let secret = secret.trim();
        prop_assume!(secret.len() >= 8);
        let known = Known::of([secret]);
        let encoded = BASE64_STANDARD.encode(format!("{before}{secret}{before}"));
        let line = format!("{before}{secret} {} {encoded}", json!([secret]));
        let shown = text(&line, &known);
        prop_assert!(!shown.contains(secret), "{}", shown);
        prop_assert!(shown.matches(STRUCK).count() >= 2, "{}", shown);
    }

    #[test]
    fn ordinary_lines_survive(lines in prop::collection::vec(ordinary(), 1..6), prefix in 0..PREFIXES.len()) {
        let log: String = lines.iter().map(|line| format!("{}{line}\n", PREFIXES[prefix])).collect();
        prop_assert_eq!(shown(&log), log);
    }

    #[test]
    fn anything_at_all_is_taken_and_twice_is_as_good(given in "(?s).{0,200}") {
        let once = shown(&given);
        prop_assert_eq!(once.lines().count(), given.lines().count());
        let _ = shown(&once);
    }
}

#[test]
fn documents_stay_documents() {
    let mut document = json!({
        "name": "x",
        "token": { "expires": "soon" },
        "password": "a b",
        "env": [{ "name": "DB_PASSWORD", "value": "hunter" }, { "name": "DB_HOST", "value": "db" }],
        "message": "dial https://me:pw@h/x",
        "secretName": "x",
        "count": 3,
    });
    redact_json(&mut document, &Known::default());
    assert_eq!(
        document,
        json!({
            "name": "x",
            "token": { "expires": "soon" },
            "password": STRUCK,
            "env": [{ "name": "DB_PASSWORD", "value": STRUCK }, { "name": "DB_HOST", "value": "db" }],
            "message": "dial https://me:[redacted]@h/x",
            "secretName": "x",
            "count": 3,
        })
    );
}

#[test]
fn lines_as_components_write_them_survive() {
    for line in include_str!("ordinary.txt").lines() {
        assert_eq!(shown(line), line);
    }
}
