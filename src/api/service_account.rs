//! `ServiceAccountService`: finding service accounts.
//!
//! Source: `yandex/cloud/iam/v1/service_account_service.proto`.

use serde_json::Value;

use super::{Call, Client, LARGEST_PAGE, Pages, name_filter, segment};
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::Method;
use crate::message::{Field, Message};
use crate::status::{Code, Status};

/// `ServiceAccount`.
///
/// Source: `yandex/cloud/iam/v1/service_account.proto`.
pub const SERVICE_ACCOUNT: Message = Message {
    name: "ServiceAccount",
    fields: &[
        Field::scalar("id"),
        Field::scalar("folder_id"),
        Field::timestamp("created_at"),
        Field::scalar("name"),
        Field::scalar("description"),
        Field::map("labels"),
        Field::timestamp("last_authenticated_at"),
        Field::scalar("status"),
        Field::timestamp("expires_at"),
    ],
};

/// A service account by its ID: `Get`.
///
/// # Errors
/// The ID cannot be one, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    client.call(Call::new(Service::Iam, Method::GET, format!("/iam/v1/serviceAccounts/{}", segment(id)?))).await
}

/// A page of the service accounts of a folder: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn list(
    client: &Client<'_>,
    folder_id: &str,
    filter: Option<&str>,
    page_size: &str,
    page_token: &str,
) -> Result<Value> {
    let path = "/iam/v1/serviceAccounts";
    let mut call = Call::new(Service::Iam, Method::GET, path).query("folderId", folder_id).query("pageSize", page_size);
    if let Some(filter) = filter {
        call = call.query("filter", filter);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.call(call).await
}

/// The ID of the service account of this name in this folder.
///
/// # Errors
/// There is no such account (`NOT_FOUND`), the server refuses, or cannot be reached.
pub async fn id_by_name(client: &Client<'_>, folder_id: &str, name: &str) -> Result<String> {
    let filter = name_filter(name);
    let call = async |page_size: &str, token: &str| list(client, folder_id, Some(&filter), page_size, token).await;
    let pages = Pages {
        call,
        items: "serviceAccounts",
        limit: 1,
        page_size: LARGEST_PAGE,
        follow: true,
        keep: &|account| account["name"] == name,
    };
    let about = |error: Error| error.context(format!("cannot look up the service account '{name}'"));
    let found = pages.collect().await.map_err(about)?;
    let id = found.items.first().and_then(|account| account["id"].as_str()).map(str::to_owned);
    id.ok_or_else(|| {
        let message = format!("service account with name \"{name}\" not found");
        Error::refused(None, Status { code: Code::NotFound, message, details: Vec::new() }).hint(format!(
            "only the folder {folder_id} was searched; name another with --folder-id or --folder-name, or give the \
             account by its ID instead"
        ))
    })
}
