//! What a server says of the objects of an add-on before any of them is written: a dry run of each.

use super::super::api::Api;
use super::super::change::{Action, ObjectChange};
use super::super::crds;
use super::super::diff::Inspection;
use super::super::object::Object;
use super::super::operation::Operation;
use super::super::resource::Resource;
use super::super::{KubeError, concurrency};
use super::Roster;

/// What was found of one object.
pub(super) struct Judged {
    /// What differs, if anything does.
    pub(super) change: Option<ObjectChange>,
    /// Why the server could not say more.
    pub(super) doubt: Option<String>,
}

impl Judged {
    /// Whether the object has to be written, as far as that is known.
    pub(super) fn writes(&self) -> bool {
        self.change.is_some() || self.doubt.is_some()
    }
}

impl Api {
    /// Judges all objects; what is refused for itself is a failure, and all of these are told.
    pub(super) async fn judge(&self, objects: &[Object], roster: &Roster) -> Result<Vec<Judged>, KubeError> {
        let defined = &[crds::defined(objects), roster.kinds.clone()].concat();
        let work = objects.iter().map(|object| self.judge_one(object, defined, roster)).collect();
        let (mut judged, mut failures) = (Vec::new(), Vec::new());
        for result in concurrency::all(work).await {
            match result {
                Ok(one) => judged.push(one),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok(judged) } else { Err(KubeError::Several { changes: Vec::new(), failures }) }
    }

    async fn judge_one(&self, object: &Object, defined: &[Resource], roster: &Roster) -> Result<Judged, KubeError> {
        let is_defined = defined.iter().any(|resource| resource.serves(&object.id));
        match self.inspect(object, defined).await {
            Ok(Inspection { change, live: Some(_), .. }) => Ok(Judged { change, doubt: None }),
            Ok(Inspection { resource, change, live: None }) => {
                let path = resource.path(object.id.namespace.as_deref());
                let operation = Operation::Compare { name: &object.id.name, object: &object.value };
                let tried = self.send(&path, &object.id.to_string(), operation).await;
                let doubt = match tried {
                    Ok(_) => None,
                    Err(error) => weigh(error, object, is_defined, roster)?,
                };
                Ok(Judged { change, doubt })
            }
            Err(error) if is_about_reaching(&error) => Err(error),
            Err(error) => {
                let doubt = weigh(error, object, is_defined, roster)?;
                Ok(Judged { change: Some(unknown(object)), doubt })
            }
        }
    }
}

/// Whether nothing at all can be said before the API answers again.
fn is_about_reaching(error: &KubeError) -> bool {
    !matches!(error, KubeError::Webhook { .. }) && error.is_transient()
}

/// Whether an error of a dry run is the object's own fault. What may be otherwise once others are there is none; what is
/// somebody else's fault is told.
fn weigh(error: KubeError, object: &Object, is_defined: bool, roster: &Roster) -> Result<Option<String>, KubeError> {
    match &error {
        // The definition beside it may allow what the one before did not.
        _ if is_defined && !matches!(error, KubeError::Malformed { .. }) => Ok(None),
        KubeError::Rejected { message, .. } if message.contains("does not support dry run") => Ok(None),
        KubeError::NotFound { .. }
            if object.id.namespace.as_ref().is_some_and(|name| roster.namespaces.contains(name)) =>
        {
            Ok(None)
        }
        // A pod whose ServiceAccount comes with it is forbidden, for example.
        KubeError::Forbidden { .. } | KubeError::Conflict { .. } => Ok(None),
        KubeError::Webhook { .. } => Ok(Some(error.to_string())),
        KubeError::Rejected { code, .. } if *code >= 500 || *code == 429 => Ok(Some(error.to_string())),
        _ => Err(error),
    }
}

/// A change that could not be compared.
fn unknown(object: &Object) -> ObjectChange {
    ObjectChange {
        kind: object.id.kind.clone(),
        namespace: object.id.namespace.clone(),
        name: object.id.name.clone(),
        action: Action::Update,
        summary: format!("update {}", object.id),
        diff: None,
    }
}
