//! Kubeconfigs: always rendered, and read only for the identity that they embed. So the same identity always gives the
//! same bytes.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::cluster::{Cluster, Endpoint, Host, Role};

use super::Identity;
use super::table::Server;

/// The kubeconfig of `user`. Names are quoted: a cluster may be called `1` or `yes`.
pub(super) fn render(cluster: &Cluster, server: &str, ca: &str, user: &str, identity: &Identity) -> String {
    let name = &cluster.name;
    let (ca, certificate) = (STANDARD.encode(ca), STANDARD.encode(&identity.certificate));
    let key = STANDARD.encode(&identity.key);
    format!(
        r#"apiVersion: v1
kind: Config
clusters:
- name: "{name}"
  cluster:
    server: "{server}"
    certificate-authority-data: {ca}
contexts:
- name: "{user}@{name}"
  context:
    cluster: "{name}"
    user: "{user}"
current-context: "{user}@{name}"
users:
- name: "{user}"
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"#
    )
}

/// URL of the API server that a kubeconfig on `host` names.
pub(super) fn server(cluster: &Cluster, host: &Host, server: Server) -> String {
    let own = || match host.address {
        IpAddr::V4(address) => format!("https://{address}:{}", Endpoint::APISERVER_PORT),
        IpAddr::V6(address) => format!("https://[{address}]:{}", Endpoint::APISERVER_PORT),
    };
    let endpoint = || match cluster.endpoint.host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("https://[{address}]:{}", cluster.endpoint.port),
        _ => format!("https://{}:{}", cluster.endpoint.host, cluster.endpoint.port),
    };
    match server {
        Server::Endpoint => endpoint(),
        Server::Own => own(),
        Server::Nearest if host.roles.contains(Role::ControlPlane) => own(),
        Server::Nearest => endpoint(),
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    users: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate_data: String,
    client_key_data: String,
}

/// The identity of the first user. Parser errors are dropped: they quote lines, and the lines are keys.
pub(super) fn identity(text: &str) -> Result<Identity, &'static str> {
    let document: Document =
        serde_yaml::from_str(text).map_err(|_| "it is no kubeconfig with embedded certificate and key")?;
    let user = document.users.into_iter().next().ok_or("it names no user")?.user;
    let decode = |data: &str| STANDARD.decode(data.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match (decode(&user.client_certificate_data), decode(&user.client_key_data)) {
        (Some(certificate), Some(key)) => Ok(Identity { certificate, key }),
        _ => Err("its certificate or key is not base64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::fixtures::parts;

    fn secret() -> Identity {
        Identity { certificate: "certificate\n".into(), key: "key\n".into() }
    }

    #[test]
    fn what_is_rendered_is_read_and_every_name_is_a_string() {
        let mut parts = parts();
        parts.name = crate::cluster::ClusterName::parse("1").unwrap();
        let cluster = Cluster::new(parts).unwrap();
        let text = render(&cluster, "https://api:6443", "ca\n", "system:node:m1", &secret());
        insta::assert_snapshot!(text);
        assert_eq!(identity(&text), Ok(secret()));
        let json: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(json["clusters"][0]["name"], "1");
        assert_eq!(json["contexts"][0]["name"], json["current-context"]);
    }

    #[test]
    fn kubeadms_order_and_extra_fields_are_understood() {
        let text = "apiVersion: v1\nclusters: []\nkind: Config\npreferences: {}\nusers:\n- name: kubernetes-admin\n  user:\n    \
                    client-certificate-data: Y2VydGlmaWNhdGUK\n    client-key-data: a2V5Cg==\n    token: x\n";
        assert_eq!(identity(text), Ok(secret()));
    }

    #[test]
    fn without_embedded_identity_there_is_none() {
        let files = "users:\n- name: a\n  user: {client-certificate: /a.pem, client-key: /a.pem}\n";
        let rubbish = "users:\n- name: a\n  user: {client-certificate-data: '*', client-key-data: '*'}\n";
        for text in ["", "rubbish", "users: []", files, rubbish, "\0"] {
            assert!(identity(text).is_err(), "{text}");
        }
    }

    #[test]
    fn servers() {
        let mut parts = parts();
        for (index, host) in parts.hosts.iter_mut().enumerate() {
            host.address = format!("fd00::1{}", index + 1).parse().unwrap();
        }
        parts.network.pod_cidr = "fd01::/48".parse().unwrap();
        parts.network.service_cidr = "fd02::/112".parse().unwrap();
        parts.network.node_prefix = 64;
        parts.endpoint.mode = crate::cluster::EndpointMode::Local;
        let endpoint = format!("https://{}:{}", parts.endpoint.host, parts.endpoint.port);
        let cluster = Cluster::new(parts).unwrap();
        let url = |host: &str, which| server(&cluster, cluster.host(host).unwrap(), which);
        assert_eq!(url("m1", Server::Own), "https://[fd00::11]:6443");
        assert_eq!(url("m2", Server::Nearest), "https://[fd00::12]:6443");
        assert_eq!(url("n1", Server::Nearest), endpoint);
        assert_eq!(url("m1", Server::Endpoint), endpoint);
    }
}
