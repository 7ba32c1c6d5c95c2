//! Following the pages of a `List` method.

use serde_json::Value;

use super::{Call, Client};
use crate::error::{Error, Result};
use crate::text::page_trail::PageTrail;

/// The largest page that a `List` method returns, and the default here.
///
/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`, `page_size`.
pub const MAX_PAGE_SIZE: u32 = 1000;

/// Every item of a list, as received; `call` makes the call without its page.
///
/// # Errors
/// The server refuses, cannot be reached, or the list does not end.
pub async fn all<'c>(client: &Client<'_>, items: &'static str, call: impl Fn() -> Call<'c>) -> Result<Vec<Value>> {
    let page = async |page_size: &str, page_token: &str| {
        let mut call = call().query("pageSize", page_size);
        if !page_token.is_empty() {
            call = call.query("pageToken", page_token);
        }
        client.call(call).await
    };
    let pages = Pages { call: page, items, limit: usize::MAX, page_size: MAX_PAGE_SIZE, follow: true, keep: &|_| true };
    Ok(pages.collect().await?.items)
}

/// Follows the pages of a `List` until `limit` items that `keep` accepts are there.
pub struct Pages<'a, F> {
    /// Makes the call for the page of this size that this token names; an empty token names the first.
    pub call: F,
    /// The field of the response that holds the items.
    pub items: &'static str,
    /// The maximum number of items.
    pub limit: usize,
    /// The maximum number of items per page.
    pub page_size: u32,
    /// Whether the pages after the first are requested.
    pub follow: bool,
    /// Which items count.
    pub keep: &'a dyn Fn(&Value) -> bool,
}

/// The items of all pages.
#[derive(Debug, Default)]
pub struct Listing {
    /// The items, as received.
    pub items: Vec<Value>,
    /// Whether there are more on the server.
    pub cut_off: bool,
}

impl<F: AsyncFn(&str, &str) -> Result<Value>> Pages<'_, F> {
    /// Collects the items.
    ///
    /// # Errors
    /// A call fails, or the list does not end: the server names a page again, or many in a row are empty.
    pub async fn collect(self) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut token = String::new();
        let mut trail = PageTrail::default();
        let page_size = self.page_size.to_string();
        loop {
            let mut page = (self.call)(&page_size, &token).await?;
            let items = match page.get_mut(self.items).map(Value::take) {
                Some(Value::Array(items)) => items,
                // Protobuf JSON leaves an empty list out, also on a page that others follow.
                None | Some(Value::Null) if page.is_object() => Vec::new(),
                _ => return Err(Error::internal(format!("the server's response has no list '{}'", self.items))),
            };
            let count = items.len();
            listing.items.extend(items.into_iter().filter(|item| (self.keep)(item)));
            let next = page["nextPageToken"].as_str().unwrap_or_default();
            if next.is_empty() || !self.follow || listing.items.len() >= self.limit {
                listing.cut_off = !next.is_empty() || listing.items.len() > self.limit;
                listing.items.truncate(self.limit);
                return Ok(listing);
            }
            trail.follow(count, next).map_err(Error::internal)?;
            next.clone_into(&mut token);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    /// A list of 0..count on pages of `page` items.
    async fn collect(count: usize, page: usize, limit: usize, follow: bool, keep: &dyn Fn(&Value) -> bool) -> Listing {
        let call = async |_: &str, token: &str| {
            let start: usize = token.parse().unwrap_or(0);
            let end = (start + page).min(count);
            let items: Vec<_> = (start..end).collect();
            Ok(json!({"items": items, "nextPageToken": if end < count { end.to_string() } else { String::new() }}))
        };
        Pages { call, items: "items", limit, page_size: 2, follow, keep }.collect().await.unwrap()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn pages_give_the_first_items_up_to_the_limit(count in 0usize..20, page in 1usize..7, limit in 1usize..25) {
            let listing = run(collect(count, page, limit, true, &|_| true));
            let expected: Vec<Value> = (0..count.min(limit)).map(Value::from).collect();
            prop_assert_eq!(listing.items, expected);
            prop_assert_eq!(listing.cut_off, count > limit);
        }

        #[test]
        fn filtered_items_do_not_count_against_the_limit(count in 0usize..20, page in 1usize..7, limit in 1usize..8) {
            let odd = |item: &Value| item.as_u64().is_some_and(|n| n % 2 == 1);
            let listing = run(collect(count, page, limit, true, &odd));
            let expected: Vec<Value> = (0..count).filter(|n| n % 2 == 1).take(limit).map(Value::from).collect();
            prop_assert_eq!(listing.items, expected);
        }
    }

    #[test]
    fn one_page_is_one_page() {
        let listing = run(collect(5, 2, 1000, false, &|_| true));
        assert_eq!(listing.items, [json!(0), json!(1)]);
        assert!(listing.cut_off);
    }

    #[test]
    fn a_page_without_items_need_not_be_the_last() {
        let call = async |_: &str, token: &str| {
            Ok(if token.is_empty() { json!({"nextPageToken": "x"}) } else { json!({"items": [1]}) })
        };
        let pages = Pages { call, items: "items", limit: 10, page_size: 1, follow: true, keep: &|_| true };
        assert_eq!(run(pages.collect()).unwrap().items, [json!(1)]);
    }

    /// The error of a list whose pages are named by these tokens, the first page by an empty one.
    fn failure(next: fn(&str) -> Value) -> String {
        let call = async |_: &str, token: &str| Ok(next(token));
        let pages = Pages { call, items: "items", limit: 1000, page_size: 1, follow: true, keep: &|_| true };
        let error = run(pages.collect()).unwrap_err();
        assert!(matches!(error.kind(), Kind::Internal), "{error:?}");
        error.to_string()
    }

    #[test]
    fn a_server_that_names_a_page_again_is_an_error() {
        let message = "the server names a page of the list that came before";
        assert_eq!(failure(|_| json!({"items": [1], "nextPageToken": "x"})), message);
        let circle = |token: &str| match token {
            "a" => json!({"items": [1], "nextPageToken": "b"}),
            "b" => json!({"nextPageToken": "c"}),
            _ => json!({"items": [1], "nextPageToken": "a"}),
        };
        assert_eq!(failure(circle), message);
    }
}
