//! `SecretService` of Lockbox: secrets, whose versions cannot be changed.
//!
//! Source: `yandex/cloud/lockbox/v1/secret_service.proto`, `secret.proto`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::operation::Operation;
use super::{Call, Client, pages, segment, text};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;

const PATH: &str = "/lockbox/v1/secrets";

/// The longest key of an entry, in characters.
///
/// Source: `PayloadEntryChange.key`.
pub const MAX_ENTRY: usize = 256;

/// A secret.
#[derive(Debug)]
pub struct Secret {
    /// `ACTIVE`, `INACTIVE` or `CREATING`.
    pub status: String,
    /// Whether Lockbox generates a password for its versions, so that no version with other entries can be added.
    pub generates_password: bool,
}

/// A secret without its content: `Get`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Secret> {
    let secret = client.call(Call::new(Service::Lockbox, Method::GET, format!("{PATH}/{}", segment(id)?))).await?;
    let password = &secret["passwordPayloadSpecification"];
    Ok(Secret { status: text(&secret, "status"), generates_password: password.is_object() })
}

/// The descriptions of the versions of a secret: `ListVersions`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn version_descriptions(client: &Client<'_>, id: &str) -> Result<Vec<String>> {
    let versions = all(client, format!("{PATH}/{}/versions", segment(id)?), "versions").await?;
    Ok(versions.iter().map(|version| text(version, "description")).collect())
}

/// The Operations on a secret that are not done: `ListOperations`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn unfinished_operations(client: &Client<'_>, id: &str) -> Result<Vec<Operation>> {
    let operations = all(client, format!("{PATH}/{}/operations", segment(id)?), "operations").await?;
    Ok(operations.into_iter().map(Operation::parse).filter(|operation| !operation.done).collect())
}

/// Adds a version with these entries to a secret; the others are those of the current version: `AddVersion`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn add_version(
    client: &Client<'_>,
    id: &str,
    description: &str,
    entries: &[(&str, &SecretString)],
) -> Result<Operation> {
    let entry = |(key, value): &(&str, &SecretString)| json!({"key": key, "textValue": value.expose_secret()});
    let body = json!({
        "description": description,
        "payloadEntries": entries.iter().map(entry).collect::<Vec<Value>>(),
    });
    let path = format!("{PATH}/{}:addVersion", segment(id)?);
    let call = Call::new(Service::Lockbox, Method::POST, path).body(body);
    client.call(call).await.map(Operation::parse)
}

async fn all(client: &Client<'_>, path: String, items: &'static str) -> Result<Vec<Value>> {
    pages::all(client, items, || Call::new(Service::Lockbox, Method::GET, path.as_str())).await
}
