//! Downloads from mirrors. What comes from there has the digest that the spec or the lock says, or is refused.

use reqwest::Url;

use crate::image::registry::Mirror;

/// The address to take `url` from: a mirror's path goes before that of `url`.
pub(super) fn mirrored(url: &str, mirrors: &[Mirror]) -> String {
    let rewritten = || {
        let parsed = Url::parse(url).ok()?;
        let mirror = mirrors.iter().find(|mirror| mirror.host == authority(&parsed))?;
        let mut target = mirror.url.clone();
        target.set_path(&format!("{}{}", target.path().trim_end_matches('/'), parsed.path()));
        target.set_query(parsed.query());
        Some(target.to_string())
    };
    rewritten().unwrap_or_else(|| url.to_owned())
}

/// Host, and port where it is not the usual one.
fn authority(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_stands_for_one_host() {
        let mirrors: Vec<Mirror> = ["dl.k8s.io=https://mirror.example/k8s/", "a.example:8080=http://127.0.0.1:1"]
            .map(|text| text.parse().unwrap())
            .into();
        for (url, expected) in [
            ("https://dl.k8s.io/release/v1/kubelet", "https://mirror.example/k8s/release/v1/kubelet"),
            ("https://dl.k8s.io/a?b=c", "https://mirror.example/k8s/a?b=c"),
            ("http://a.example:8080/x", "http://127.0.0.1:1/x"),
            ("http://a.example/x", "http://a.example/x"),
            ("https://other.example/dl.k8s.io", "https://other.example/dl.k8s.io"),
        ] {
            assert_eq!(mirrored(url, &mirrors), expected, "{url}");
        }
    }
}
