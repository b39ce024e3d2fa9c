//! Who is at fault.

use kubewright::kube::{Api, KubeError};

use super::certificates::Authority;
use super::server::Server;

pub(crate) async fn certificates_that_do_not_fit_are_told_apart(server: &Server) {
    let stranger = Authority::new();
    let error = server.connect(&stranger.pem(), &server.admin).await.unwrap_err();
    assert!(matches!(error, KubeError::UnknownAuthority { .. }), "{error}");

    let ca = server.authority.pem();
    let error = server.connect(&ca, &stranger.client("kubewright", "system:masters")).await.unwrap_err();
    assert!(matches!(error, KubeError::Unauthorized { .. }), "{error}");

    let expired = server.authority.expired_client("kubewright", "system:masters");
    let error = server.connect(&ca, &expired).await.unwrap_err();
    assert!(matches!(error, KubeError::ClientCertificateExpired { .. }), "{error}");
    assert!(error.to_string().contains("CN=kubewright") && error.to_string().contains("2020-01-01"), "{error}");

    let admin = &server.admin;
    let other_name = Api::connect(server.address, "another", &ca, &admin.certificate, &admin.key).await.unwrap_err();
    assert!(matches!(other_name, KubeError::ServerCertificate { .. }), "{other_name}");

    let nonsense = Api::connect(server.address, "kubernetes", "no PEM", &admin.certificate, &admin.key).await;
    assert!(matches!(nonsense, Err(KubeError::Identity { what: "certificate of the CA", .. })), "{nonsense:?}");
    let nonsense = Api::connect(server.address, "kubernetes", &ca, &admin.certificate, "no PEM").await;
    assert!(matches!(nonsense, Err(KubeError::Identity { .. })), "{nonsense:?}");
}

pub(crate) async fn a_user_without_rights_is_forbidden(server: &Server) {
    let nobody = server.authority.client("nobody", "nobodies");
    let api = server.connect(&server.authority.pem(), &nobody).await.unwrap();
    let error = api.nodes().await.unwrap_err();
    assert!(matches!(error, KubeError::Forbidden { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("cannot list the nodes: the server refuses: ") && text.contains("\"nobody\""), "{text}");
}

pub(crate) async fn nobody_answers(server: &Server) {
    // Taken from a listener that is gone again.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (ca, admin) = (server.authority.pem(), &server.admin);
    let error = Api::connect(address, "kubernetes", &ca, &admin.certificate, &admin.key).await.unwrap_err();
    assert!(matches!(error, KubeError::Unreachable { .. }) && error.is_transient(), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
