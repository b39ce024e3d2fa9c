//! Everything that is ever asked of an API server, as data: one list to read, one place that builds requests.

use ::kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, ValidationDirective};
use serde_json::Value;

use super::FIELD_MANAGER;
use super::grace_period::GracePeriod;
use super::resource::segment;

/// Has the fields that we let go of.
const KEEPER: &str = "kubewright-keep";

/// A request to the resource at some path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation<'a> {
    /// One object.
    Read {
        /// Its name.
        name: &'a str,
    },
    /// A document that is no object: `/version`.
    Document,
    /// A page of a list.
    List(&'a ListParams),
    /// What a server-side apply would result in.
    Compare {
        /// Name of the object.
        name: &'a str,
        /// All that we want of it.
        object: &'a Value,
    },
    /// A server-side apply. Conflicts are decided in our favour: what the manifests say holds.
    Apply {
        /// Name of the object.
        name: &'a str,
        /// All that we want of it.
        object: &'a Value,
    },
    /// An apply in the name of whoever is to have these fields from now on: they stay as they are when we let go of them.
    Keep {
        /// Name of the object.
        name: &'a str,
        /// The fields.
        object: &'a Value,
    },
    /// A JSON merge patch; never creates the object.
    Merge {
        /// Name of the object.
        name: &'a str,
        /// The fields to change.
        patch: &'a Value,
    },
    /// The eviction of a pod.
    Evict {
        /// Name of the pod.
        name: &'a str,
        /// The Eviction object.
        eviction: &'a Value,
    },
    /// The end of an object and of what it owns.
    Delete {
        /// Its name.
        name: &'a str,
        /// Its uid: another one that has taken its name stays.
        uid: Option<&'a str>,
        /// How long it may take.
        grace: GracePeriod,
    },
}

impl Operation<'_> {
    /// The verb that errors name.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Document => "read",
            Self::List(_) => "list",
            Self::Compare { .. } => "compare",
            Self::Apply { .. } | Self::Keep { .. } => "apply",
            Self::Merge { .. } => "patch",
            Self::Evict { .. } => "evict",
            Self::Delete { .. } => "delete",
        }
    }

    /// Asks for it, once.
    pub(super) async fn send(&self, client: &::kube::Client, path: &str) -> Result<String, ::kube::Error> {
        let resource = ::kube::core::Request::new(path);
        let request = match self {
            Self::Read { name } => resource.get(&segment(name), &Default::default()),
            Self::Document => resource.list(&ListParams::default()),
            Self::List(params) => resource.list(params),
            Self::Compare { name, object } => resource.patch(&segment(name), &apply().dry_run(), &Patch::Apply(object)),
            Self::Apply { name, object } => resource.patch(&segment(name), &apply(), &Patch::Apply(object)),
            Self::Keep { name, object } => {
                let params = PatchParams { field_manager: Some(KEEPER.into()), ..PatchParams::default() };
                resource.patch(&segment(name), &params, &Patch::Apply(object))
            }
            Self::Merge { name, patch } => {
                let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
                resource.patch(&segment(name), &params, &Patch::Merge(patch))
            }
            Self::Evict { name, eviction } => serde_json::to_vec(eviction)
                .map_err(::kube::core::request::Error::SerializeBody)
                .and_then(|body| resource.create_subresource("eviction", &segment(name), &PostParams::default(), body)),
            Self::Delete { name, uid, grace } => {
                let preconditions = uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None });
                let grace_period_seconds = match grace {
                    GracePeriod::OfThePod => None,
                    GracePeriod::Seconds(seconds) => Some(*seconds),
                };
                resource.delete(
                    &segment(name),
                    &DeleteParams { grace_period_seconds, preconditions, ..DeleteParams::default() },
                )
            }
        };
        client.request_text(request.map_err(::kube::Error::BuildRequest)?).await
    }
}

fn apply() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force().validation(ValidationDirective::Strict)
}
