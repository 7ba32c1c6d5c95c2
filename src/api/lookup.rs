//! Finding the ID of a resource by its name.

use serde_json::Value;

use super::pages::{MAX_PAGE_SIZE, Pages};
use crate::error::{Error, Result};
use crate::status::{Code, Status};
use crate::text::quote;
use crate::text::similar::near;

/// How many names are looked at for similar ones: no more than a page holds.
const MAX_LOOKED_AT: usize = 1000;
/// How many of the similar names are shown.
const MAX_SIMILAR: usize = 5;

/// A resource that is looked for by its name.
pub(super) struct Lookup<'a> {
    /// What it is, e.g. `folder`.
    pub(super) resource: &'static str,
    pub(super) name: &'a str,
    /// The field of a list that holds the resources.
    pub(super) items: &'static str,
    /// Where else it may be, for the hint.
    pub(super) elsewhere: String,
}

impl Lookup<'_> {
    /// The ID of the resource; `named` lists the resources of this name, and `all` those of any name, which are looked
    /// at for similar names when there is none.
    ///
    /// # Errors
    /// There is none (`NOT_FOUND`), the server refuses, or cannot be reached.
    pub(super) async fn id(
        self,
        named: impl AsyncFn(&str, &str) -> Result<Value>,
        all: impl AsyncFn(&str, &str) -> Result<Value>,
    ) -> Result<String> {
        let Self { resource, name, items, elsewhere } = self;
        let keep = |item: &Value| item["name"] == name;
        let pages = Pages { call: named, items, limit: 1, page_size: MAX_PAGE_SIZE, follow: true, keep: &keep };
        let found = pages.collect().await;
        let found =
            found.map_err(|error| error.context(format!("cannot look up the {resource} {}", quote::value(name))))?;
        if let Some(id) = found.items.first().and_then(|item| item["id"].as_str()) {
            return Ok(id.to_owned());
        }
        // The error is the same where the names cannot be listed.
        let limit = MAX_LOOKED_AT;
        let others = Pages { call: all, items, limit, page_size: MAX_PAGE_SIZE, follow: true, keep: &|_| true };
        let others = others.collect().await.unwrap_or_default().items;
        let mut similar = near(name, others.iter().filter_map(|item| item["name"].as_str()));
        similar.truncate(MAX_SIMILAR);
        let hint = match &similar[..] {
            [] => elsewhere,
            [one] => format!("there is a {resource} '{one}'; {elsewhere}"),
            some => format!("there are the {resource}s '{}'; {elsewhere}", some.join("', '")),
        };
        let message = format!("{resource} with name \"{name}\" not found");
        Err(Error::refused(None, Status { code: Code::NotFound, message, details: Vec::new() }).hint(hint))
    }
}

/// The filter for resources of a name: `name = "x"`, without escaping, since a name has nothing to escape.
///
/// Source: yandex-cloud/go-sdk, `pkg/sdkresolvers/base_resolver.go`.
pub(super) fn name_filter(name: &str) -> String {
    format!("name = \"{name}\"")
}
