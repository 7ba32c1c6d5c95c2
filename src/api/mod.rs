//! The services of the cloud as functions: one file a proto service, one function an rpc.

pub mod access_key;
pub mod cloud;
pub mod folder;
pub mod operation;
pub mod service_account;
pub mod sigv4;
pub mod sts;
pub mod temporary_access_key;

use std::time::Duration;

use serde_json::Value;

use crate::auth::iam_token::IamToken;
use crate::auth::token_source::TokenSource;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::{Body, Method, Repeat, Request, Response};
use crate::status::{Code, Status};
use crate::text::{ids, percent};

/// The most that a page of any `List` holds, and the default here.
///
/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`, `page_size`.
pub const LARGEST_PAGE: u32 = 1000;

/// Makes calls in the name of the user.
pub struct Client<'a> {
    tokens: TokenSource<'a>,
}

/// A call of a method of a service.
pub struct Call<'a> {
    service: Service,
    method: Method,
    path: String,
    query: Vec<(&'static str, &'a str)>,
    body: Body,
    repeat: Repeat,
}

impl<'a> Call<'a> {
    /// A call of this method on this path, without a body; it may be repeated after a failure.
    pub fn new(service: Service, method: Method, path: impl Into<String>) -> Self {
        Self { service, method, path: path.into(), query: Vec::new(), body: Body::Empty, repeat: Repeat::Always }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Says that repeating the call would make a second secret, so that it is repeated only when the first was
    /// certainly not processed.
    #[must_use]
    pub fn makes_a_secret(mut self) -> Self {
        self.repeat = Repeat::Unprocessed;
        self
    }

    fn url(&self, base: &str) -> String {
        let mut url = format!("{base}{}", self.path);
        for (position, (name, value)) in self.query.iter().enumerate() {
            url.push(if position == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.extend(percent::encode(value));
        }
        url
    }
}

impl<'a> Client<'a> {
    /// A client that signs in when the first call needs it.
    pub fn new(tokens: TokenSource<'a>) -> Self {
        Self { tokens }
    }

    /// Where the tokens come from.
    pub fn tokens(&self) -> &TokenSource<'a> {
        &self.tokens
    }

    /// Makes a call and returns the answer's JSON.
    ///
    /// # Errors
    /// The server refuses the call, or cannot be reached.
    pub async fn call(&self, call: Call<'_>) -> Result<Value> {
        self.send(call).await?.into_json().map_err(|error| self.explain(error))
    }

    /// Makes a call and returns the answer, whatever its status.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the credential in exchange for a token.
    pub async fn send(&self, call: Call<'_>) -> Result<Response> {
        let send = async |token: &IamToken| {
            let base = self.tokens.endpoints.base(call.service, &self.tokens.http).await?;
            self.send_with(&call, &call.url(&base), token).await
        };
        Ok(self.tokens.send_authenticated(send).await?.1)
    }

    async fn send_with(&self, call: &Call<'_>, url: &str, token: &IamToken) -> Result<Response> {
        let mut request = Request::new(call.method.clone(), url);
        request.bearer = Some(&token.value);
        request.body = call.body.clone();
        request.repeat = call.repeat;
        self.tokens.http.send(request).await
    }

    /// Whether a request is under way that may be making a secret.
    pub fn awaits_unrepeatable(&self) -> bool {
        self.tokens.http.awaits_unrepeatable()
    }

    /// Adds what is known about the credential to a refusal of it.
    pub fn explain(&self, error: Error) -> Error {
        match error.code() {
            Some(Code::Unauthenticated) => error.hint(self.tokens.sign_in.hint()),
            _ => error,
        }
    }
}

/// An answer that holds a new secret, if it is whole.
///
/// # Errors
/// One of the fields, given as JSON pointers, is missing: the key may exist all the same, and nobody has its secret.
pub(crate) fn whole(answer: Value, fields: &[&str]) -> Result<Value> {
    let has = |field: &&&str| answer.pointer(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    match fields.iter().find(|field| !has(field)) {
        None => Ok(answer),
        Some(field) => {
            let name = field.rsplit('/').next().unwrap_or_default();
            Err(Error::internal(format!("the server's answer holds no '{name}'")).outcome_unknown())
        }
    }
}

/// Follows the pages of a `List` until `limit` items that `keep` accepts are there.
pub struct Pages<'a, F> {
    /// Makes the call for the page of this size that this token names; an empty token names the first.
    pub call: F,
    /// The field of the answer that holds the items.
    pub items: &'static str,
    /// How many items there are to be at most.
    pub limit: usize,
    /// How many items a page is asked for.
    pub page_size: u32,
    /// Whether the pages after the first are asked for.
    pub follow: bool,
    /// Which items count.
    pub keep: &'a dyn Fn(&Value) -> bool,
}

/// What following the pages came to.
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
    /// A call fails, or the server does not come to an end.
    pub async fn collect(self) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut token = String::new();
        let page_size = self.page_size.to_string();
        loop {
            let mut page = (self.call)(&page_size, &token).await?;
            let items = match page.get_mut(self.items).map(Value::take) {
                Some(Value::Array(items)) => items,
                // Protobuf JSON leaves an empty list out, also on a page that others follow.
                None | Some(Value::Null) if page.is_object() => Vec::new(),
                _ => return Err(Error::internal(format!("the server's answer holds no list '{}'", self.items))),
            };
            listing.items.extend(items.into_iter().filter(|item| (self.keep)(item)));
            let next = page["nextPageToken"].as_str().unwrap_or_default();
            if next.is_empty() || !self.follow || listing.items.len() >= self.limit {
                listing.cut_off = !next.is_empty() || listing.items.len() > self.limit;
                listing.items.truncate(self.limit);
                return Ok(listing);
            }
            if next == token {
                return Err(Error::internal("the server names the same page again and again"));
            }
            next.clone_into(&mut token);
        }
    }
}

/// A path segment: the ID of a resource, checked so that nothing but that resource can be meant.
///
/// # Errors
/// The text cannot be an ID; the message names it and the rule.
fn segment(id: &str) -> Result<String> {
    ids::check_id(id).map_err(Error::usage)?;
    Ok(percent::encode(id).to_string())
}

/// The ID of the resource of this name in a list of such things that is filtered by it; `elsewhere` is the hint on where
/// else it may be.
///
/// # Errors
/// There is none (`NOT_FOUND`), the server refuses, or cannot be reached.
async fn id_in_list(
    thing: &str,
    name: &str,
    items: &'static str,
    list: impl AsyncFn(&str, &str) -> Result<Value>,
    elsewhere: &str,
) -> Result<String> {
    let keep = |thing: &Value| thing["name"] == name;
    let pages = Pages { call: list, items, limit: 1, page_size: LARGEST_PAGE, follow: true, keep: &keep };
    let about = |error: Error| error.context(format!("cannot look up the {thing} '{name}'"));
    let found = pages.collect().await.map_err(about)?;
    let id = found.items.first().and_then(|thing| thing["id"].as_str()).map(str::to_owned);
    id.ok_or_else(|| {
        let message = format!("{thing} with name \"{name}\" not found");
        Error::refused(None, Status { code: Code::NotFound, message, details: Vec::new() }).hint(elsewhere)
    })
}

/// The filter for resources of a name: `name = "x"`, without escaping, since a name has nothing to escape.
///
/// Source: yandex-cloud/go-sdk, `pkg/sdkresolvers/base_resolver.go`.
fn name_filter(name: &str) -> String {
    format!("name = \"{name}\"")
}

/// How long to wait before the next look at an Operation: 0.2 s, growing to 2 s.
fn poll_interval(polls: u32) -> Duration {
    Duration::from_millis(200).saturating_mul(1 << polls.min(4)).min(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

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

    #[test]
    fn a_server_that_repeats_a_page_is_an_error() {
        let call = async |_: &str, _: &str| Ok(json!({"items": [1], "nextPageToken": "x"}));
        let pages = Pages { call, items: "items", limit: 10, page_size: 1, follow: true, keep: &|_| true };
        assert!(run(pages.collect()).unwrap_err().to_string().contains("same page"));
    }

    #[test]
    fn an_id_is_encoded_as_a_path_segment() {
        assert_eq!(segment("aje6t3vsbj8l").unwrap(), "aje6t3vsbj8l");
        assert_eq!(segment("a%2Fb").unwrap(), "a%252Fb");
        assert_eq!(segment("a/b").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn polls_grow_to_two_seconds() {
        let waits: Vec<_> = (0..6).map(|polls| poll_interval(polls).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 2000, 2000]);
    }
}
