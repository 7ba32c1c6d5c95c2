//! `FolderService`: finding a folder by its name.
//!
//! Source: `yandex/cloud/resourcemanager/v1/folder_service.proto`.

use serde_json::Value;

use super::lookup::{id_in_list, name_filter};
use super::{Call, Client};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;

/// A page of the folders of a cloud; an empty filter stands for none: `List`.
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
    let path = "/resource-manager/v1/folders";
    let mut call =
        Call::new(Service::ResourceManager, Method::GET, path).query("cloudId", cloud_id).query("pageSize", page_size);
    if !filter.is_empty() {
        call = call.query("filter", filter);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.call(call).await
}

/// The ID of the folder of this name in this cloud.
///
/// # Errors
/// There is no such folder (`NOT_FOUND`), the server refuses, or cannot be reached.
pub async fn id_by_name(client: &Client<'_>, cloud_id: &str, name: &str) -> Result<String> {
    let filter = name_filter(name);
    let list = async |page_size: &str, token: &str| list(client, cloud_id, &filter, page_size, token).await;
    let elsewhere =
        format!("only the cloud {cloud_id} was searched; name another with --cloud-id, or give --folder-id");
    id_in_list("folder", name, "folders", list, &elsewhere).await
}
