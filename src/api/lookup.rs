//! Finding the ID of a resource by its name.

use serde_json::Value;

use super::pages::{MAX_PAGE_SIZE, Pages};
use crate::error::{Error, Result};
use crate::status::{Code, Status};
use crate::text::quote;

/// The ID of the resource of this name in a list that is filtered by the name; `hint` says where else it may be.
///
/// # Errors
/// There is none (`NOT_FOUND`), the server refuses, or cannot be reached.
pub(super) async fn id_in_list(
    resource: &str,
    name: &str,
    items: &'static str,
    list: impl AsyncFn(&str, &str) -> Result<Value>,
    hint: &str,
) -> Result<String> {
    let keep = |item: &Value| item["name"] == name;
    let pages = Pages { call: list, items, limit: 1, page_size: MAX_PAGE_SIZE, follow: true, keep: &keep };
    let found = pages.collect().await;
    let found =
        found.map_err(|error| error.context(format!("cannot look up the {resource} {}", quote::value(name))))?;
    let id = found.items.first().and_then(|item| item["id"].as_str()).map(str::to_owned);
    id.ok_or_else(|| {
        let message = format!("{resource} with name \"{name}\" not found");
        Error::refused(None, Status { code: Code::NotFound, message, details: Vec::new() }).hint(hint)
    })
}

/// The filter for resources of a name: `name = "x"`, without escaping, since a name has nothing to escape.
///
/// Source: yandex-cloud/go-sdk, `pkg/sdkresolvers/base_resolver.go`.
pub(super) fn name_filter(name: &str) -> String {
    format!("name = \"{name}\"")
}
