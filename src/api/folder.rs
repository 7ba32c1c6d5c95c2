//! `FolderService`: folders of a cloud.
//!
//! Source: `yandex/cloud/resourcemanager/v1/folder_service.proto`.

use serde_json::Value;

use super::lookup::{Lookup, name_filter};
use super::{Call, Client, Scope, segment};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::{Method, Response};
use crate::message::{Field, Message};

/// A folder by its ID: `Get`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    let path = format!("/resource-manager/v1/folders/{}", segment(id)?);
    client.call(Call::new(Service::ResourceManager, Method::GET, path)).await
}

/// `Folder`.
///
/// Source: `yandex/cloud/resourcemanager/v1/folder.proto`.
pub const FOLDER: Message = Message {
    name: "Folder",
    fields: &[
        Field::scalar("id"),
        Field::scalar("cloud_id"),
        Field::timestamp("created_at"),
        Field::scalar("name"),
        Field::scalar("description"),
        Field::map("labels"),
        Field::scalar("status"),
    ],
};

/// A page of the folders of a cloud, read; an empty filter stands for none: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn list(
    client: &Client<'_>,
    cloud_id: &str,
    filter: &str,
    page_size: &str,
    page_token: &str,
) -> Result<Value> {
    page(client, cloud_id, filter, page_size, page_token).await?.into_json()
}

/// As [`list`], as received.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn page(
    client: &Client<'_>,
    cloud_id: &str,
    filter: &str,
    page_size: &str,
    page_token: &str,
) -> Result<Response> {
    let path = "/resource-manager/v1/folders";
    // Source of the role: yandex-cloud/docs, `en/_roles/resource-manager/auditor.md`.
    let mut call = Call::new(Service::ResourceManager, Method::GET, path)
        .query("cloudId", cloud_id)
        .query("pageSize", page_size)
        .takes("resource-manager.auditor", Scope::Cloud(cloud_id));
    if !filter.is_empty() {
        call = call.query("filter", filter);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.accepted(call).await
}

/// The ID of the folder of this name in this cloud; `origin` is where the cloud comes from.
///
/// # Errors
/// There is no such folder (`NOT_FOUND`), the server refuses, or cannot be reached.
pub async fn id_by_name(client: &Client<'_>, cloud_id: &str, origin: &str, name: &str) -> Result<String> {
    let filter = name_filter(name);
    let elsewhere =
        format!("only the cloud {cloud_id} ({origin}) was searched; name another with --cloud-id, or give --folder-id");
    let lookup = Lookup { resource: "folder", name, items: "folders", elsewhere };
    let named = async |page_size: &str, token: &str| list(client, cloud_id, &filter, page_size, token).await;
    let all = async |page_size: &str, token: &str| list(client, cloud_id, "", page_size, token).await;
    lookup.id(named, all).await
}
