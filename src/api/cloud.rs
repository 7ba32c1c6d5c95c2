//! `CloudService`: the clouds that the caller can see.
//!
//! Source: `yandex/cloud/resourcemanager/v1/cloud_service.proto`.

use serde_json::Value;

use super::{Call, Client, segment};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::{Method, Response};
use crate::message::{Field, Message};

/// `Cloud`.
///
/// Source: `yandex/cloud/resourcemanager/v1/cloud.proto`.
pub const CLOUD: Message = Message {
    name: "Cloud",
    fields: &[
        Field::scalar("id"),
        Field::timestamp("created_at"),
        Field::scalar("name"),
        Field::scalar("description"),
        Field::scalar("organization_id"),
        Field::map("labels"),
    ],
};

/// A cloud by its ID: `Get`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    let path = format!("/resource-manager/v1/clouds/{}", segment(id)?);
    client.call(Call::new(Service::ResourceManager, Method::GET, path)).await
}

/// A page of the clouds, of all organizations or of one, read: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn list(client: &Client<'_>, organization: Option<&str>, page_size: &str, page_token: &str) -> Result<Value> {
    page(client, organization, page_size, page_token).await?.into_json()
}

/// As [`list`], as received.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn page(
    client: &Client<'_>,
    organization: Option<&str>,
    page_size: &str,
    page_token: &str,
) -> Result<Response> {
    let path = "/resource-manager/v1/clouds";
    let mut call = Call::new(Service::ResourceManager, Method::GET, path).query("pageSize", page_size);
    if let Some(organization) = organization {
        call = call.query("organizationId", organization);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.accepted(call).await
}
