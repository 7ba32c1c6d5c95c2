//! `OperationService`: long-running operations.
//!
//! Source: `yandex/cloud/operation/operation.proto` and `operation_service.proto`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Call, Client, segment, text};
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::http::Method;
use crate::message::{ANY, Field, Message};
use crate::status::Status;
use crate::text::quote;

/// How long an Operation is waited for when no other limit is given.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10 * 60);

/// The shape of an `Operation`.
pub const OPERATION: Message = Message {
    name: "Operation",
    fields: &[
        Field::scalar("id"),
        Field::scalar("description"),
        Field::timestamp("created_at"),
        Field::scalar("created_by"),
        Field::timestamp("modified_at"),
        Field::scalar("done"),
        Field::message("metadata", &ANY),
        Field::message("error", &ANY),
        Field::message("response", &ANY),
    ],
};

/// An `Operation`.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The Operation's ID; empty when the server did not give one.
    pub id: String,
    /// Whether it has ended, with a failure or without one.
    pub done: bool,
    /// The message as received.
    pub raw: Value,
}

impl Operation {
    /// Reads an Operation from a response.
    pub fn parse(raw: Value) -> Self {
        Self { id: text(&raw, "id"), done: raw["done"] == true, raw }
    }

    /// Why it failed; `None` when it has not.
    pub fn failure(&self) -> Option<Status> {
        Status::from_value(&self.raw["error"])
    }

    /// The message that the Operation resulted in, if it has one: an `Any` in JSON has its type beside the fields.
    pub fn into_response(mut self) -> Option<Value> {
        let Value::Object(mut response) = self.raw["response"].take() else { return None };
        response.shift_remove("@type");
        Some(Value::Object(response))
    }
}

/// An Operation by its ID: `Get`.
///
/// # Errors
/// The text cannot be an ID, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Operation> {
    let call = Call::new(Service::Operation, Method::GET, format!("/operations/{}", segment(id)?));
    let response = client
        .call(call)
        .await
        .map_err(|error| error.context(format!("cannot get the operation {}", quote::value(id))))?;
    Ok(Operation::parse(response))
}

/// Polls an Operation until it is done, and returns it.
///
/// # Errors
/// The Operation failed, `limit` has passed, the server refuses, or cannot be reached.
pub async fn wait(client: &Client<'_>, mut operation: Operation, limit: Option<Duration>) -> Result<Operation> {
    let started = Instant::now();
    let id = operation.id.clone();
    if id.is_empty() {
        return Err(Error::internal(
            "the server's response is not an operation, so it is not known what became of the change",
        ));
    }
    for polls in 0.. {
        if operation.done {
            break;
        }
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            return Err(Error::new(Kind::Timeout, format!("the operation {id} is not done yet")));
        }
        sleep(poll_interval(polls)).await;
        operation = get(client, &id).await?;
    }
    match operation.failure() {
        Some(status) => Err(Error::refused(None, status).context(format!("the operation {id} failed"))),
        None => Ok(operation),
    }
}

/// How long to wait before the next poll: 0.2 s, doubling to 2 s.
fn poll_interval(polls: u32) -> Duration {
    Duration::from_millis(200).saturating_mul(1 << polls.min(4)).min(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_poll_interval_grows_to_two_seconds() {
        let waits: Vec<_> = (0..6).map(|polls| poll_interval(polls).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn the_response_comes_without_its_type() {
        let operation = |value| Operation::parse(json!({"id": "a", "done": true, "response": value}));
        assert_eq!(operation(json!({"@type": "t", "id": "k"})).into_response(), Some(json!({"id": "k"})));
        assert_eq!(operation(Value::Null).into_response(), None);
    }
}
