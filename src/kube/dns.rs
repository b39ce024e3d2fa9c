//! Whether the cluster has a DNS that pods can be proven by.

use std::net::IpAddr;

use serde_json::Value;

use super::KubeError;
use super::api::Api;

const SERVICES: &str = "/api/v1/namespaces/kube-system/services";
const ENDPOINTS: &str = "/api/v1/namespaces/kube-system/endpoints";
/// CoreDNS, too, is called so.
const NAME: &str = "kube-dns";

impl Api {
    /// Whether the Service `kube-dns` stands at `address`, where kubelets send their pods, and somebody answers for it.
    pub async fn serves_dns(&self, address: IpAddr) -> Result<bool, KubeError> {
        let service = self.find(SERVICES, "Service kube-system/kube-dns", NAME).await?;
        let is_at = |service: &Value| service["spec"]["clusterIP"] == address.to_string();
        if !service.is_some_and(|service| is_at(&service)) {
            return Ok(false);
        }
        let endpoints = self.find(ENDPOINTS, "Endpoints kube-system/kube-dns", NAME).await?;
        let subsets = endpoints.as_ref().and_then(|endpoints| endpoints["subsets"].as_array()).into_iter().flatten();
        let ready = |subset: &Value| subset["addresses"].as_array().is_some_and(|addresses| !addresses.is_empty());
        Ok(subsets.into_iter().any(ready))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Scripted, not_found};
    use super::*;

    #[tokio::test]
    async fn dns_is_where_pods_look_for_it_and_answers() {
        let (service, endpoints) = (format!("GET {SERVICES}/{NAME}"), format!("GET {ENDPOINTS}/{NAME}"));
        let at = |address: &str| json!({"spec": {"clusterIP": address}});
        let with = |subset: Value| json!({"subsets": [subset]});
        let cases = [
            (vec![(404, not_found(NAME))], false),
            (vec![(200, at("10.96.0.11"))], false),
            (vec![(200, at("10.96.0.10")), (404, not_found(NAME))], false),
            (vec![(200, at("10.96.0.10")), (200, json!({}))], false),
            (vec![(200, at("10.96.0.10")), (200, with(json!({"notReadyAddresses": [{"ip": "10.1.1.1"}]})))], false),
            (vec![(200, at("10.96.0.10")), (200, with(json!({"addresses": [{"ip": "10.1.1.1"}]})))], true),
        ];
        for (answers, expected) in cases {
            let requests = [service.as_str(), endpoints.as_str()];
            let server = Scripted::new(
                requests.into_iter().zip(answers).map(|(request, (status, body))| (request, status, body)),
            );
            assert_eq!(server.api().serves_dns("10.96.0.10".parse().unwrap()).await.unwrap(), expected);
            server.done();
        }
    }
}
