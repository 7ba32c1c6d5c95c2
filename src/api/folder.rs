//! `FolderService`: finding a folder by its name.
//!
//! Source: `yandex/cloud/resourcemanager/v1/folder_service.proto`.

use serde_json::Value;

use super::{Call, Client, LARGEST_PAGE, Pages, name_filter};
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::Method;
use crate::status::{Code, Status};

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
    let call = async |page_size: &str, token: &str| list(client, cloud_id, &filter, page_size, token).await;
    let pages = Pages {
        call,
        items: "folders",
        limit: 1,
        page_size: LARGEST_PAGE,
        follow: true,
        keep: &|folder| folder["name"] == name,
    };
    let about = |error: Error| error.context(format!("cannot look up the folder '{name}'"));
    let found = pages.collect().await.map_err(about)?;
    let id = found.items.first().and_then(|folder| folder["id"].as_str()).map(str::to_owned);
    id.ok_or_else(|| {
        let message = format!("folder with name \"{name}\" not found");
        Error::refused(None, Status { code: Code::NotFound, message, details: Vec::new() })
            .hint(format!("only the cloud {cloud_id} was searched; name another with --cloud-id, or give --folder-id"))
    })
}
