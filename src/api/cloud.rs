//! `CloudService`: the clouds that the caller can see.
//!
//! Source: `yandex/cloud/resourcemanager/v1/cloud_service.proto`.

use serde_json::Value;

use super::{Call, Client};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;

/// A page of the clouds, of all organizations or of one: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn list(client: &Client<'_>, organization: Option<&str>, page_size: &str, page_token: &str) -> Result<Value> {
    let path = "/resource-manager/v1/clouds";
    let mut call = Call::new(Service::ResourceManager, Method::GET, path).query("pageSize", page_size);
    if let Some(organization) = organization {
        call = call.query("organizationId", organization);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.call(call).await
}
