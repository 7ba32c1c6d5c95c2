//! `AccessKeyService`: static access keys of service accounts.
//!
//! Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto` and `access_key.proto`.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::operation::Operation;
use super::pages::{MAX_PAGE_SIZE, Pages};
use super::{Call, Client, Role, Scope, required, segment, text};
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::{Method, Response};
use crate::message::{Field, Message, Node};
use crate::status::Code;

const PATH: &str = "/iam/aws-compatibility/v1/accessKeys";

/// The role that reads keys.
///
/// Source: yandex-cloud/docs, `en/_roles/iam/auditor.md`.
const READER: &str = "iam.auditor";

/// The role that creates, changes and deletes keys.
///
/// Source: yandex-cloud/docs, `en/_roles/iam/serviceAccounts/accessKeyAdmin.md`.
const ADMIN: &str = "iam.serviceAccounts.accessKeyAdmin";

/// The role that deletes a key.
pub const DELETING_ROLE: Role<'_> = Role { id: ADMIN, scope: Scope::OwnerOfKey };

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 256;

/// The shape of an `AccessKey`.
pub const ACCESS_KEY: Message = Message {
    name: "AccessKey",
    fields: &[
        Field::scalar("id"),
        Field::scalar("service_account_id"),
        Field::timestamp("created_at"),
        Field::scalar("description"),
        Field::scalar("key_id"),
        Field::timestamp("last_used_at"),
    ],
};

/// The shape of a `CreateAccessKeyResponse`.
pub const CREATE_RESPONSE: Message = Message {
    name: "CreateAccessKeyResponse",
    fields: &[Field::message("access_key", &ACCESS_KEY), Field::scalar("secret")],
};

/// A static access key with its secret: `CreateAccessKeyResponse`.
#[derive(Debug, Clone)]
pub struct StaticKey {
    /// The resource ID, by which the API knows the key.
    pub id: String,
    /// The key ID, by which S3 clients know the key: `YCA…`.
    pub key_id: String,
    /// The secret that requests are signed with.
    pub secret: SecretString,
    /// The message as received, with the secret.
    pub raw: Value,
}

impl StaticKey {
    /// Reads the response to `Create`.
    ///
    /// # Errors
    /// A field is missing: the key may exist all the same, and nobody has its secret.
    pub fn parse(raw: Value) -> Result<Self> {
        Ok(Self {
            id: required(&raw, "/accessKey/id")?.to_owned(),
            key_id: required(&raw, "/accessKey/keyId")?.to_owned(),
            secret: required(&raw, "/secret")?.into(),
            raw,
        })
    }
}

/// When a key was used last, or was created if no use is recorded; `None` when the server does not say. `key` is an
/// `AccessKey` as received.
pub fn last_activity(key: &Node<'_>) -> Option<DateTime<Utc>> {
    let time = |field| key.get(field).and_then(Node::as_str);
    let time = time("lastUsedAt").or_else(|| time("createdAt"))?;
    Some(DateTime::parse_from_rfc3339(time).ok()?.to_utc())
}

/// A page of the keys of a service account; `None` stands for the caller: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn list(client: &Client<'_>, owner: Option<&str>, page_size: &str, page_token: &str) -> Result<Response> {
    let mut call =
        Call::new(Service::Iam, Method::GET, PATH).query("pageSize", page_size).takes(READER, Scope::account(owner));
    if let Some(owner) = owner {
        call = call.query("serviceAccountId", owner);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.accepted(call).await.map_err(|error| about_own_keys(error, owner, client, "list the keys of one", "list"))
}

/// A static access key as the API describes it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The resource ID.
    pub id: String,
    /// The key ID: `YCA…`.
    pub key_id: String,
    /// The ID of the service account that it belongs to.
    pub service_account_id: String,
    /// The description, which may be empty.
    pub description: String,
    /// When it was created, as RFC 3339.
    pub created_at: String,
    /// When it was last used, as RFC 3339; empty when no use is recorded.
    pub last_used_at: String,
}

/// All keys of a service account.
#[derive(Debug)]
pub struct AccessKeys {
    /// The keys.
    pub keys: Vec<AccessKey>,
    /// The time of the server.
    pub time: DateTime<Utc>,
}

impl AccessKey {
    /// Reads an `AccessKey` as received.
    pub fn parse(raw: &Value) -> Self {
        Self {
            id: text(raw, "id"),
            key_id: text(raw, "keyId"),
            service_account_id: text(raw, "serviceAccountId"),
            description: text(raw, "description"),
            created_at: text(raw, "createdAt"),
            last_used_at: text(raw, "lastUsedAt"),
        }
    }
}

/// All keys of a service account: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn all(client: &Client<'_>, owner: &str) -> Result<AccessKeys> {
    let time = Cell::new(Utc::now());
    let call = async |page_size: &str, token: &str| {
        let response = list(client, Some(owner), page_size, token).await?;
        time.set(response.clock.time());
        response.into_json()
    };
    let pages =
        Pages { call, items: "accessKeys", limit: usize::MAX, page_size: MAX_PAGE_SIZE, follow: true, keep: &|_| true };
    let keys = pages.collect().await?.items.iter().map(AccessKey::parse).collect();
    Ok(AccessKeys { keys, time: time.get() })
}

/// An `AccessKey` by its resource ID, as received: `Get`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    let call = Call::new(Service::Iam, Method::GET, format!("{PATH}/{}", segment(id)?));
    client.call(call.takes(READER, Scope::OwnerOfKey)).await
}

/// Creates a key for a service account; `None` stands for the caller: `Create`. The response holds the only copy of the
/// secret.
///
/// # Errors
/// The server refuses, or cannot be reached; the key may exist all the same when the error says so.
pub async fn create(client: &Client<'_>, owner: Option<&str>, description: Option<&str>) -> Result<StaticKey> {
    let mut body = json!({});
    if let Some(owner) = owner {
        body["serviceAccountId"] = owner.into();
    }
    if let Some(description) = description {
        body["description"] = description.into();
    }
    let call = Call::new(Service::Iam, Method::POST, PATH).body(body).makes_a_secret();
    let created = client.call(call.takes(ADMIN, Scope::account(owner))).await;
    let explain = |error| about_own_keys(error, owner, client, "create a key for one", "create");
    StaticKey::parse(created.map_err(explain)?)
}

/// Sets the description of a key: `Update`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn update(client: &Client<'_>, id: &str, description: &str) -> Result<Operation> {
    let body = json!({"updateMask": "description", "description": description});
    let call = Call::new(Service::Iam, Method::PATCH, format!("{PATH}/{}", segment(id)?)).body(body);
    Ok(Operation::parse(client.call(call.takes(ADMIN, Scope::OwnerOfKey)).await?))
}

/// Requests the deletion of a key: `Delete`. The response holds the Operation, whatever its status.
///
/// # Errors
/// The text cannot be an ID, or the server cannot be reached.
pub async fn delete(client: &Client<'_>, id: &str) -> Result<Response> {
    client.send(Call::new(Service::Iam, Method::DELETE, format!("{PATH}/{}", segment(id)?))).await
}

/// A page of the Operations on a key: `ListOperations`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn list_operations(client: &Client<'_>, id: &str, page_size: &str, page_token: &str) -> Result<Response> {
    let path = format!("{PATH}/{}/operations", segment(id)?);
    let mut call = Call::new(Service::Iam, Method::GET, path).query("pageSize", page_size);
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.accepted(call).await
}

/// Explains why a call on the caller's own keys is refused: a person has none. `aim` is what the command `verb` does.
fn about_own_keys(error: Error, owner: Option<&str>, client: &Client<'_>, aim: &str, verb: &str) -> Error {
    let names_no_account = error.code() == Some(Code::NotFound) || error.is_about_field("serviceAccountId");
    // A credential that names its subject is that of a service account.
    if owner.is_some() || !names_no_account || client.tokens().sign_in.subject_id().is_some() {
        return error;
    }
    error.hint(format!(
        "access keys belong to service accounts, and the caller may not be one; to list service accounts, type: yc-rs \
         iam service-account list; to {aim}: yc-rs iam access-key {verb} --service-account-name <NAME>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_is_counted_from_creation_where_no_use_is_recorded() {
        let used = json!({"createdAt": "2020-01-01T00:00:00Z", "lastUsedAt": "2026-01-01T00:00:00Z"});
        let unused = json!({"createdAt": "2020-01-01T00:00:00Z"});
        assert_eq!(last_activity(&Node::from(&used)).unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert_eq!(last_activity(&Node::from(&unused)).unwrap().to_rfc3339(), "2020-01-01T00:00:00+00:00");
        assert_eq!(last_activity(&Node::from(&json!({}))), None);
    }
}
