//! `TemporaryAccessKeyService`: keys that end by themselves.
//!
//! Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, Client, whole};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;
use crate::message::{Field, Message};
use crate::text::duration;

/// The longest policy, in characters.
pub const LONGEST_POLICY: usize = 2048;

/// The longest session name, in characters.
pub const LONGEST_SESSION_NAME: usize = 64;

/// The shortest and the longest life of a key that `yc` accepts.
///
/// Source: yandex-cloud/docs, `en/cli/cli-ref/iam/cli-ref/access-key/issue-ephemeral.md`.
pub const LIFETIMES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(15 * 60)..=Duration::from_secs(12 * 60 * 60);

/// `CreateEphemeralAccessKeyResponse`.
pub const EPHEMERAL_KEY: Message = Message {
    name: "CreateEphemeralAccessKeyResponse",
    fields: &[
        Field::scalar("access_key_id"),
        Field::scalar("secret"),
        Field::scalar("session_token"),
        Field::timestamp("expires_at"),
    ],
};

/// `CreateEphemeralAccessKeyRequest`, as it stands in a file.
pub const CREATE_REQUEST: Message = Message {
    name: "CreateEphemeralAccessKeyRequest",
    fields: &[
        Field::scalar("subject_id"),
        Field::scalar("session_name"),
        Field::scalar("policy"),
        Field::scalar("duration"),
    ],
};

/// `CreateEphemeralAccessKeyRequest`.
#[derive(Debug, Clone, Default)]
pub struct CreateEphemeral {
    /// Who the key is for; `None` stands for the caller.
    pub subject_id: Option<String>,
    /// What the use of the key is called in audit logs.
    pub session_name: String,
    /// JSON that narrows the rights of the subject.
    pub policy: Option<String>,
    /// How long the key is to live; `None` leaves it to the server: as long as the IAM token behind it.
    pub duration: Option<Duration>,
}

/// Issues a key: `CreateEphemeral`. The answer holds the only copy of the secret.
///
/// # Errors
/// The server refuses, or cannot be reached; the key may exist all the same when the error says so.
pub async fn create_ephemeral(client: &Client<'_>, request: &CreateEphemeral) -> Result<Value> {
    let mut body = json!({"sessionName": request.session_name});
    if let Some(subject) = &request.subject_id {
        body["subjectId"] = subject.clone().into();
    }
    if let Some(policy) = &request.policy {
        body["policy"] = policy.clone().into();
    }
    if let Some(duration) = request.duration {
        body["duration"] = duration::to_protobuf(duration).into();
    }
    let path = "/iam/aws-compatibility/v1/ephemeralAccessKeys";
    let answer = client.call(Call::new(Service::Iam, Method::POST, path).body(body).makes_a_secret()).await?;
    whole(answer, &["/accessKeyId", "/secret", "/sessionToken", "/expiresAt"])
}
