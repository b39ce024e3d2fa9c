//! A server for tests that answers what it is told, in order, and nothing else: for what a real one does only by
//! chance, such as a conflict or an overload.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ::kube::client::Body;
use serde_json::{Value, json};

use super::api::Api;

/// Requests that are expected: `GET /path?query`, then status and body of the answer.
#[derive(Clone, Default)]
pub(super) struct Scripted(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    expected: VecDeque<(String, u16, String)>,
    /// Bodies of the requests; null where there was none.
    bodies: Vec<Value>,
    surprises: Vec<String>,
}

impl Scripted {
    /// A server that expects `steps`. A body that is a text is sent as such.
    pub(super) fn new<'a>(steps: impl IntoIterator<Item = (&'a str, u16, Value)>) -> Self {
        let expected = steps.into_iter().map(|(request, status, body)| {
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            (request.to_owned(), status, body)
        });
        let state = State { expected: expected.collect(), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A connection to it.
    pub(super) fn api(&self) -> Api {
        Api::from_client(self.client())
    }

    /// The same, for what needs no more.
    pub(super) fn client(&self) -> ::kube::Client {
        let shared = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let shared = shared.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await?;
                let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
                let (status, answer) = shared.answer(&format!("{} {target}", parts.method), &body);
                let answer = http::Response::builder().status(status).body(Body::from(answer.into_bytes()))?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer)
            }
        });
        ::kube::Client::new(service, "default")
    }

    fn answer(&self, request: &str, body: &[u8]) -> (u16, String) {
        let mut state = self.0.lock().unwrap();
        state.bodies.push(serde_json::from_slice(body).unwrap_or(Value::Null));
        match state.expected.pop_front() {
            Some((expected, status, answer)) if expected == request => (status, answer),
            other => {
                let expected = other.map_or("nothing".to_owned(), |(expected, ..)| expected);
                let surprise = format!("{request}, where {expected} was expected");
                let answer = json!({"kind": "Status", "code": 418, "message": surprise}).to_string();
                state.surprises.push(surprise);
                (418, answer)
            }
        }
    }

    /// Proves that every request came as expected, and returns their bodies.
    pub(super) fn done(&self) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        assert!(state.surprises.is_empty(), "{:?}", state.surprises);
        assert!(state.expected.is_empty(), "never asked: {:?}", state.expected);
        state.bodies.clone()
    }
}

/// The answer to a write that comes too late.
pub(super) fn conflict(name: &str) -> Value {
    status(409, "Conflict", name, "the object has been modified")
}

/// The answer for an object that is not there.
pub(super) fn not_found(name: &str) -> Value {
    status(404, "NotFound", name, &format!("\"{name}\" not found"))
}

/// A refusal.
pub(super) fn status(code: u16, reason: &str, name: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": message, "details": {"name": name}})
}
