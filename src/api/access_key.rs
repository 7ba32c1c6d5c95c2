//! `AccessKeyService`: static keys of service accounts.
//!
//! Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto` and `access_key.proto`.

use serde_json::{Value, json};

use super::{Call, Client, segment, whole};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::{Method, Response};
use crate::message::{Field, Message};

const PATH: &str = "/iam/aws-compatibility/v1/accessKeys";

/// The longest description, in characters.
pub const LONGEST_DESCRIPTION: usize = 256;

/// `AccessKey`.
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

/// `CreateAccessKeyResponse`.
pub const CREATE_RESPONSE: Message = Message {
    name: "CreateAccessKeyResponse",
    fields: &[Field::message("access_key", &ACCESS_KEY), Field::scalar("secret")],
};

/// `CreateAccessKeyRequest`.
pub const CREATE_REQUEST: Message = Message {
    name: "CreateAccessKeyRequest",
    fields: &[Field::scalar("service_account_id"), Field::scalar("description")],
};

/// `UpdateAccessKeyRequest`.
pub const UPDATE_REQUEST: Message = Message {
    name: "UpdateAccessKeyRequest",
    fields: &[Field::scalar("access_key_id"), Field::scalar("update_mask"), Field::scalar("description")],
};

/// A page of the keys of a service account; `None` stands for the caller: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn list(client: &Client<'_>, owner: Option<&str>, page_size: &str, page_token: &str) -> Result<Value> {
    let mut call = Call::new(Service::Iam, Method::GET, PATH).query("pageSize", page_size);
    if let Some(owner) = owner {
        call = call.query("serviceAccountId", owner);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.call(call).await
}

/// A key by its resource ID: `Get`.
///
/// # Errors
/// The ID cannot be one, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    client.call(Call::new(Service::Iam, Method::GET, format!("{PATH}/{}", segment(id)?))).await
}

/// Makes a key for a service account; `None` stands for the caller: `Create`. The answer holds the only copy of the
/// secret.
///
/// # Errors
/// The server refuses, or cannot be reached; the key may exist all the same when the error says so.
pub async fn create(client: &Client<'_>, owner: Option<&str>, description: Option<&str>) -> Result<Value> {
    let mut body = json!({});
    if let Some(owner) = owner {
        body["serviceAccountId"] = owner.into();
    }
    if let Some(description) = description {
        body["description"] = description.into();
    }
    let answer = client.call(Call::new(Service::Iam, Method::POST, PATH).body(body).makes_a_secret()).await?;
    whole(answer, &["/accessKey/id", "/accessKey/keyId", "/secret"])
}

/// Sets the description of a key and returns the Operation: `Update`.
///
/// # Errors
/// The ID cannot be one, the server refuses, or cannot be reached.
pub async fn update(client: &Client<'_>, id: &str, description: &str) -> Result<Value> {
    let body = json!({"updateMask": "description", "description": description});
    client.call(Call::new(Service::Iam, Method::PATCH, format!("{PATH}/{}", segment(id)?)).body(body)).await
}

/// Asks for a key to be deleted: `Delete`. The answer holds the Operation, whatever its status.
///
/// # Errors
/// The ID cannot be one, or the server cannot be reached.
pub async fn delete(client: &Client<'_>, id: &str) -> Result<Response> {
    client.send(Call::new(Service::Iam, Method::DELETE, format!("{PATH}/{}", segment(id)?))).await
}

/// A page of the Operations on a key: `ListOperations`.
///
/// # Errors
/// The ID cannot be one, the server refuses, or cannot be reached.
pub async fn list_operations(client: &Client<'_>, id: &str, page_size: &str, page_token: &str) -> Result<Value> {
    let path = format!("{PATH}/{}/operations", segment(id)?);
    let mut call = Call::new(Service::Iam, Method::GET, path).query("pageSize", page_size);
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.call(call).await
}
