//! Webhooks that stand before the API and do not answer: the server names the webhook alone, and not the object that says
//! when it is asked, which is what somebody has to mend or remove.

use ::kube::api::ListParams;
use serde_json::Value;

use super::error::KubeError;
use super::operation::Operation;

/// Kinds that have webhooks, and where they are listed.
const KINDS: [(&str, &str); 2] = [
    ("MutatingWebhookConfiguration", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
    ("ValidatingWebhookConfiguration", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"),
];

/// The name of the webhook that could not be asked, by the words of the API server.
pub(super) fn failed(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("failed calling webhook \"")?;
    rest.split_once('"').map(|(name, _)| name)
}

/// The error with the object of its webhook, where it is about one. Asks by itself: an error on the way here is none of
/// the caller's.
pub(super) async fn named(client: &::kube::Client, error: KubeError) -> KubeError {
    let KubeError::Rejected { attempt, code, reason, message, hint } = error else { return error };
    let Some(webhook) = failed(&message).map(str::to_owned) else {
        return KubeError::Rejected { attempt, code, reason, message, hint };
    };
    let mut configurations = Vec::new();
    for (kind, path) in KINDS {
        let params = ListParams::default();
        let Ok(text) = Operation::List(&params).send(client, path).await else { continue };
        let list: Value = serde_json::from_str(&text).unwrap_or_default();
        let names = having(&list, &webhook).map(|name| format!("{kind} {name}"));
        configurations.extend(names);
    }
    let configuration = match configurations.is_empty() {
        true => "a MutatingWebhookConfiguration or ValidatingWebhookConfiguration".to_owned(),
        false => configurations.join(" and "),
    };
    KubeError::Webhook { attempt, webhook, configuration, message }
}

/// Names of the configurations of a list that have the webhook.
fn having<'l>(list: &'l Value, webhook: &str) -> impl Iterator<Item = &'l str> {
    let items = list["items"].as_array().into_iter().flatten();
    let has = move |item: &&Value| {
        item["webhooks"].as_array().into_iter().flatten().any(|candidate| candidate["name"] == webhook)
    };
    items.filter(has).filter_map(|item| item["metadata"]["name"].as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Scripted, status};

    #[tokio::test]
    async fn the_object_of_a_webhook_that_does_not_answer_is_named() {
        let why = "Internal error occurred: failed calling webhook \"check.gears.example.com\": failed to call webhook: \
                   Post \"https://gears.demo.svc:443/\": no endpoints available for service \"gears\"";
        let server = Scripted::new([
            ("DELETE /api/v1/namespaces/demo/secrets/a?", 500, status(500, "InternalError", "", why)),
            (
                "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?",
                403,
                status(403, "Forbidden", "", ""),
            ),
            (
                "GET /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?",
                200,
                json!({"items": [
                    {"metadata": {"name": "others"}, "webhooks": [{"name": "other.example.com"}]},
                    {"metadata": {"name": "gears"}, "webhooks": [{"name": "check.gears.example.com"}]},
                ]}),
            ),
        ]);
        let error = server.api().remove("/api/v1/namespaces/demo/secrets", "Secret demo/a", "a").await.unwrap_err();
        server.done();
        let error = error.to_string();
        assert!(error.starts_with("cannot delete Secret demo/a: "), "{error}");
        for part in ["check.gears.example.com of ValidatingWebhookConfiguration gears", "no endpoints available"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
