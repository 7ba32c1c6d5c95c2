//! `ServiceAccountService`: finding service accounts.
//!
//! Source: `yandex/cloud/iam/v1/service_account_service.proto`.

use serde_json::Value;

use super::lookup::{Lookup, name_filter};
use super::{Call, Client, Scope, segment};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::{Method, Response};
use crate::message::{Field, Message};

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

/// The role that reads service accounts.
///
/// Source: yandex-cloud/docs, `en/_roles/iam/auditor.md`.
const READER: &str = "iam.auditor";

/// A service account by its ID: `Get`.
///
/// # Errors
/// The ID cannot be one, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    let call = Call::new(Service::Iam, Method::GET, format!("/iam/v1/serviceAccounts/{}", segment(id)?));
    client.call(call.takes(READER, Scope::ServiceAccount(id))).await
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
) -> Result<Response> {
    let path = "/iam/v1/serviceAccounts";
    let mut call = Call::new(Service::Iam, Method::GET, path)
        .query("folderId", folder_id)
        .query("pageSize", page_size)
        .takes(READER, Scope::Folder(folder_id));
    if let Some(filter) = filter {
        call = call.query("filter", filter);
    }
    if !page_token.is_empty() {
        call = call.query("pageToken", page_token);
    }
    client.accepted(call).await
}

/// The ID of the service account of this name in this folder; `origin` is where the folder comes from.
///
/// # Errors
/// There is no such account (`NOT_FOUND`), the server refuses, or cannot be reached.
pub async fn id_by_name(client: &Client<'_>, folder_id: &str, origin: &str, name: &str) -> Result<String> {
    let filter = name_filter(name);
    let elsewhere = format!(
        "only the folder {folder_id} ({origin}) was searched; name another with --folder-id or --folder-name, or give \
         the account by its ID instead"
    );
    let lookup = Lookup { resource: "service account", name, items: "serviceAccounts", elsewhere };
    let named = async |page_size: &str, token: &str| {
        list(client, folder_id, Some(&filter), page_size, token).await?.into_json()
    };
    let all = async |page_size: &str, token: &str| list(client, folder_id, None, page_size, token).await?.into_json();
    lookup.id(named, all).await
}
