//! Somebody else at the same API: a kubelet, an administrator, another tool.

use ::kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use super::server::Server;

pub(crate) struct Other {
    client: ::kube::Client,
    manager: &'static str,
}

impl Other {
    pub(crate) fn new(server: &Server, manager: &'static str) -> Self {
        let mut config = ::kube::Config::new(format!("https://{}", server.address).parse().unwrap());
        let ca = CertificateDer::from_pem_slice(server.authority.pem().as_bytes()).unwrap();
        config.root_cert = Some(vec![ca.to_vec()]);
        config.tls_server_name = Some("kubernetes".into());
        config.auth_info.client_certificate_data = Some(STANDARD.encode(&server.admin.certificate));
        config.auth_info.client_key_data = Some(STANDARD.encode(&server.admin.key).into());
        Self { client: ::kube::Client::try_from(config).unwrap(), manager }
    }

    pub(crate) async fn create(&self, path: &str, object: &Value) -> Value {
        let params = PostParams { field_manager: Some(self.manager.into()), ..PostParams::default() };
        let body = serde_json::to_vec(object).unwrap();
        let request = ::kube::core::Request::new(path).create(&params, body).unwrap();
        self.client.request(request).await.unwrap()
    }

    pub(crate) async fn read(&self, path: &str, name: &str) -> Option<Value> {
        let request = ::kube::core::Request::new(path).get(name, &Default::default()).unwrap();
        match self.client.request(request).await {
            Ok(object) => Some(object),
            Err(::kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{path}/{name}: {error}"),
        }
    }

    pub(crate) async fn merge(&self, path: &str, name: &str, patch: &Value) -> Value {
        let request = ::kube::core::Request::new(path).patch(name, &self.params(), &Patch::Merge(patch)).unwrap();
        self.client.request(request).await.unwrap()
    }

    pub(crate) async fn merge_status(&self, path: &str, name: &str, patch: &Value) -> Value {
        let resource = ::kube::core::Request::new(path);
        let request = resource.patch_subresource("status", name, &self.params(), &Patch::Merge(patch)).unwrap();
        self.client.request(request).await.unwrap()
    }

    /// Tries what an apply would do; the server's word where it takes no such object.
    pub(crate) async fn would_apply(&self, path: &str, name: &str, object: &Value) -> Result<(), String> {
        let params = PatchParams { dry_run: true, force: true, ..self.params() };
        let request = ::kube::core::Request::new(path).patch(name, &params, &Patch::Apply(object)).unwrap();
        self.client.request::<Value>(request).await.map(drop).map_err(|error| error.to_string())
    }

    pub(crate) async fn delete(&self, path: &str, name: &str) {
        let request = ::kube::core::Request::new(path).delete(name, &DeleteParams::default()).unwrap();
        self.client.request::<Value>(request).await.unwrap();
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        let request = ::kube::core::Request::new(path).list(&Default::default()).unwrap();
        self.client.request_text(request).await.unwrap()
    }

    fn params(&self) -> PatchParams {
        PatchParams { field_manager: Some(self.manager.into()), ..PatchParams::default() }
    }
}
