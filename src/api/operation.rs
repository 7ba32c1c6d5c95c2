//! `OperationService`: changes that take their time.
//!
//! Source: `yandex/cloud/operation/operation.proto` and `operation_service.proto`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Call, Client, poll_interval, segment};
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::http::Method;
use crate::message::{ANY, Field, Message};
use crate::status::Status;

/// How long an Operation is waited for when no other limit is given.
pub const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// `Operation`.
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

/// An Operation by its ID: `Get`.
///
/// # Errors
/// The ID cannot be one, the server refuses, or cannot be reached.
pub async fn get(client: &Client<'_>, id: &str) -> Result<Value> {
    let call = Call::new(Service::Operation, Method::GET, format!("/operations/{}", segment(id)?));
    client.call(call).await.map_err(|error| error.context(format!("cannot get the operation '{id}'")))
}

/// Looks at an Operation until it is done, and returns it.
///
/// # Errors
/// The Operation failed, `limit` has passed, the server refuses, or cannot be reached.
pub async fn wait(client: &Client<'_>, mut operation: Value, limit: Option<Duration>) -> Result<Value> {
    let started = Instant::now();
    let id = operation["id"].as_str().unwrap_or_default().to_owned();
    if id.is_empty() {
        return Err(Error::internal(
            "the server's answer is no operation, so it is not known what became of the change",
        ));
    }
    for polls in 0.. {
        if operation["done"] == true {
            break;
        }
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            return Err(Error::new(Kind::Timeout, format!("the operation {id} is not done yet")));
        }
        sleep(poll_interval(polls)).await;
        operation = get(client, &id).await?;
    }
    match Status::from_value(&operation["error"]) {
        Some(status) => Err(Error::refused(None, status).context(format!("the operation {id} failed"))),
        None => Ok(operation),
    }
}
