//! `OperationService`, and how operations come to an end: each poll brings one a step nearer.
//! Source: `yandex/cloud/operation/operation.proto`, `operation_service.proto`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::clock;
use crate::reply::Reply;
use crate::route::Route;
use crate::services::{access_key, browser, federation, lockbox};
use crate::state::{Change, Message, Operation, State};
use crate::status::{NOT_FOUND, Status};

pub(crate) const ROUTES: &[Route] = &[Route::get("/operations/{operationId}", get)];

fn get(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let id = call.path("operationId");
    let at = state.operations.iter().position(|operation| operation.id == id);
    let at = at.ok_or_else(|| Status::not_found("Operation", id))?;
    let mut operation = state.operations[at].clone();
    state.authorize(call, &operation.created_by)?;
    if !operation.done {
        operation.polls_left = operation.polls_left.saturating_sub(1);
        if operation.polls_left == 0 {
            finish(state, &mut operation, call.now);
        }
        state.operations[at] = operation.clone();
    }
    Ok(Reply::json(&message(state, &operation)))
}

/// Ends an operation. Only now its change takes effect, so that a client which does not wait is found out.
pub(crate) fn finish(state: &mut State, operation: &mut Operation, now: DateTime<Utc>) {
    operation.done = true;
    operation.modified_at = now;
    if operation.error.is_some() {
        return;
    }
    if let Change::AddVersion(version) = &operation.change {
        let secret = state.secrets.iter_mut().find(|secret| secret.id == operation.access_key_id);
        if let Some(secret) = secret {
            secret.versions.push(version.clone());
            operation.response = Some(lockbox::message(&secret.id, version));
        }
        return;
    }
    let response = federation::apply(state, &operation.change).or_else(|| browser::apply(state, &operation.change));
    if let Some(response) = response {
        operation.response = Some(response);
        return;
    }
    let id = &operation.access_key_id;
    let Some(at) = state.access_keys.iter().position(|key| key.id == *id) else {
        operation.error = Some((NOT_FOUND, format!("Access key {id} not found")));
        return;
    };
    operation.response = Some(match &operation.change {
        Change::Update { description } => {
            state.access_keys[at].description.clone_from(description);
            access_key::message(state, &state.access_keys[at], false)
        }
        Change::Delete => {
            state.access_keys.remove(at);
            json!({})
        }
        Change::AddVersion(_)
        | Change::CreateFederation(_)
        | Change::CreateFederatedCredential(_)
        | Change::RevokeRefreshToken(_) => json!({}),
    });
}

/// Neither `done` nor the results are there before the end; an error may show while changes are being rolled back.
pub(crate) fn message(state: &State, operation: &Operation) -> Value {
    let id = &operation.access_key_id;
    let (package, metadata, details, response) = match &operation.change {
        Change::Update { .. } => (
            "iam.v1.awscompatibility",
            "UpdateAccessKeyMetadata",
            json!({"accessKeyId": id}),
            "yandex.cloud.iam.v1.awscompatibility.AccessKey",
        ),
        Change::Delete => {
            ("iam.v1.awscompatibility", "DeleteAccessKeyMetadata", json!({"accessKeyId": id}), "google.protobuf.Empty")
        }
        Change::AddVersion(version) => (
            "lockbox.v1",
            "AddVersionMetadata",
            json!({"secretId": id, "versionId": version.id}),
            "yandex.cloud.lockbox.v1.Version",
        ),
        Change::CreateFederation(_) => (
            "iam.v1.workload.oidc",
            "CreateFederationMetadata",
            json!({"federationId": id}),
            "yandex.cloud.iam.v1.workload.oidc.Federation",
        ),
        Change::CreateFederatedCredential(_) => (
            "iam.v1.workload",
            "CreateFederatedCredentialMetadata",
            json!({"federatedCredentialId": id}),
            "yandex.cloud.iam.v1.workload.FederatedCredential",
        ),
        Change::RevokeRefreshToken(_) => {
            ("iam.v1", "RevokeRefreshTokenMetadata", json!({}), "yandex.cloud.iam.v1.RevokeRefreshTokenResponse")
        }
    };
    let metadata = format!("yandex.cloud.{package}.{metadata}");
    let mut fields = Map::new();
    fields.insert("id".to_owned(), operation.id.clone().into());
    fields.insert("description".to_owned(), operation.description.clone().into());
    fields.insert("createdAt".to_owned(), clock::in_seconds(operation.created_at).into());
    fields.insert("createdBy".to_owned(), operation.created_by.clone().into());
    fields.insert("modifiedAt".to_owned(), clock::in_seconds(operation.modified_at).into());
    fields.insert("metadata".to_owned(), any(state, &metadata, &details));
    if operation.done {
        fields.insert("done".to_owned(), true.into());
    }
    let polled = operation.polls_left < state.settings.operation_polls;
    if let Some((code, message)) = &operation.error
        && (operation.done || polled)
    {
        fields.insert("error".to_owned(), json!({"code": code, "message": message}));
    }
    if let Some(value) = &operation.response {
        fields.insert("response".to_owned(), any(state, response, value));
    }
    state.with_extra_fields(Message::Operation, fields)
}

/// `google.protobuf.Any`: with `@type` as in the API design guide, or without as in the REST reference.
fn any(state: &State, name: &str, value: &Value) -> Value {
    let mut fields = Map::new();
    if state.settings.any_types {
        fields.insert("@type".to_owned(), format!("type.googleapis.com/{name}").into());
    }
    fields.extend(value.as_object().cloned().unwrap_or_default());
    fields.into()
}
