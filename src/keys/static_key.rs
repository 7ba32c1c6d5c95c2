//! Static keys: creating, updating and deleting them, each with the wait for its Operation.

use serde_json::Value;

use crate::api::access_key::{self, StaticKey};
use crate::api::operation::Operation;
use crate::auth::token_cache::RequiredLifetime;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::status::Code;
use crate::text::quote;

/// Creates a key for a service account; `None` stands for the caller.
///
/// # Errors
/// The server refuses, or cannot be reached; the error says when the key may exist all the same.
pub async fn create(owner: Option<&str>, description: Option<&str>, context: &Context<'_>) -> Result<StaticKey> {
    let account = owner.map(|id| format!(" --service-account-id {id}")).unwrap_or_default();
    let advice = format!(
        "a key may have been created, and nobody has its secret; look for it by its creation time, and delete it: \
         yc-rs iam access-key list{account} --format table"
    );
    let call = access_key::create(context.client()?, owner, description);
    let key =
        context.create_secret(advice, call).await.map_err(|error| error.context("cannot create an access key"))?;
    context.mask_secrets([&key.secret]);
    Ok(key)
}

/// What to tell the user when the secret of a new key is lost.
pub fn lost_secret_advice(key: &StaticKey) -> String {
    format!("the secret of the new key is lost; delete the key: yc-rs iam access-key delete {}", key.id)
}

/// Sets the description of a key, waits until that is done, and returns the `AccessKey` as received.
///
/// # Errors
/// The server refuses, cannot be reached, or does not finish in time.
pub async fn update(id: &str, description: &str, context: &Context<'_>) -> Result<Value> {
    let operation = start_update(id, description, context).await?;
    let done = context.wait_for(operation, Some(id)).await.map_err(|error| about_key(error, "update", id))?;
    match done.into_response() {
        Some(key) => Ok(key),
        None => access_key::get(context.client()?, id).await.map_err(|error| about_key(error, "get", id)),
    }
}

/// Starts to set the description of a key.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn start_update(id: &str, description: &str, context: &Context<'_>) -> Result<Operation> {
    let started = access_key::update(context.client()?, id, description).await;
    started.map_err(|error| about_key(error, "update", id))
}

/// Deletes a key and waits until it is gone.
///
/// # Errors
/// The server refuses, cannot be reached, or does not finish in time.
pub async fn delete(id: &str, context: &Context<'_>) -> Result<()> {
    let started = start_delete(id, context).await?;
    let Some(operation) = started else { return Ok(()) };
    let waited = context.wait_for(operation, Some(id)).await;
    let waited = waited.map(drop).map_err(|error| about_key(error, "delete", id));
    match &waited {
        Ok(()) => context.deletions().confirm(id),
        // The operation has failed; otherwise it goes on.
        Err(error) if matches!(error.kind(), Kind::Refused { http: None, .. }) => context.deletions().fail(id, error),
        Err(_) => {}
    }
    waited
}

/// Starts to delete a key; returns no Operation when the key is gone already.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn start_delete(id: &str, context: &Context<'_>) -> Result<Option<Operation>> {
    let client = context.client()?;
    let started = async {
        // From here on nothing is waited for but the deletion itself.
        client.tokens().token(RequiredLifetime::ForCalls).await?;
        context.deletions().begin(id);
        let response = access_key::delete(client, id).await?;
        let resent = response.resent;
        match response.into_json() {
            // The first attempt deleted the key and its response was lost.
            Err(error) if resent && error.code() == Some(Code::NotFound) => Ok(None),
            Err(error) => Err(client.explain(error, Some(access_key::DELETING_ROLE))),
            Ok(raw) => Ok(Some(Operation::parse(raw))),
        }
    };
    let started = started.await.map_err(|error| about_key(error, "delete", id));
    match &started {
        Ok(Some(_)) => context.deletions().start(id),
        Ok(None) => context.deletions().confirm(id),
        Err(error) if !error.is_outcome_unknown() => context.deletions().fail(id, error),
        Err(_) => {}
    }
    started
}

/// Says which key an error is about, and how to find the ID of a key; the key ID of S3, a usual mistake, is not one.
pub fn about_key(error: Error, verb: &str, id: &str) -> Error {
    let error = error.context(format!("cannot {verb} the access key {}", quote::value(id)));
    if !id.starts_with("YCA") {
        return match error.code() {
            Some(Code::NotFound) => error.hint(
                "to list the IDs of the keys of a service account, type: yc-rs iam access-key list \
                 --service-account-name <NAME>",
            ),
            _ => error,
        };
    }
    let command = if verb == "list the operations on" { "list-operations" } else { verb };
    let advice = format!(
        "{id} looks like the key ID of S3, but this command takes the ID of the resource; to name the key by its key ID, \
         type: yc-rs iam access-key {command} --key-id {id}"
    );
    match error.code() {
        // No role lets the caller see a key that does not exist.
        Some(Code::PermissionDenied) => error.replace_hint(advice),
        _ => error.hint(advice),
    }
}
