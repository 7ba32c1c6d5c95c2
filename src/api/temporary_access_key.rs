//! `TemporaryAccessKeyService`: ephemeral access keys.
//!
//! Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Call, Client, Scope, required};
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::Method;
use crate::lifetime::Lifetime;
use crate::message::{Field, Message};
use crate::text::duration;

/// The longest policy, in characters.
pub const MAX_POLICY: usize = 2048;

/// The longest session name, in characters.
pub const MAX_SESSION_NAME: usize = 64;

/// The shortest and the longest lifetime of a key that `yc` accepts.
///
/// Source: yandex-cloud/docs, `en/cli/cli-ref/iam/cli-ref/access-key/issue-ephemeral.md`.
pub const LIFETIMES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(15 * 60)..=Duration::from_secs(12 * 60 * 60);

/// The shape of a `CreateEphemeralAccessKeyResponse`.
pub const EPHEMERAL_KEY: Message = Message {
    name: "CreateEphemeralAccessKeyResponse",
    fields: &[
        Field::scalar("access_key_id"),
        Field::scalar("secret"),
        Field::scalar("session_token"),
        Field::timestamp("expires_at"),
    ],
};

/// A key that expires: `CreateEphemeralAccessKeyResponse`. Temporary credentials from STS have the same form.
#[derive(Debug, Clone)]
pub struct EphemeralKey {
    /// The key ID, by which S3 clients know the key.
    pub access_key_id: String,
    /// The secret that requests are signed with.
    pub secret: SecretString,
    /// The token that every request is sent with.
    pub session_token: SecretString,
    /// When the key expires, by the server's clock.
    pub expires_at: DateTime<Utc>,
    /// How long it is valid.
    pub lifetime: Lifetime,
    /// The message as received, with the secrets.
    pub raw: Value,
}

impl EphemeralKey {
    /// Reads the response to `CreateEphemeral`; `lifetime` says how long a key is valid that expires at that time.
    ///
    /// # Errors
    /// A field is missing or malformed: the key may exist all the same, and nobody has its secret.
    pub fn parse(raw: Value, lifetime: impl FnOnce(DateTime<Utc>) -> Lifetime) -> Result<Self> {
        let expires_at = DateTime::parse_from_rfc3339(required(&raw, "/expiresAt")?).map_err(|_| {
            Error::internal("the 'expiresAt' of the server's response is not a point in time").outcome_unknown()
        })?;
        let expires_at = expires_at.to_utc();
        Ok(Self {
            access_key_id: required(&raw, "/accessKeyId")?.to_owned(),
            secret: required(&raw, "/secret")?.into(),
            session_token: required(&raw, "/sessionToken")?.into(),
            expires_at,
            lifetime: lifetime(expires_at),
            raw,
        })
    }
}

/// `CreateEphemeralAccessKeyRequest`.
#[derive(Debug, Clone, Default)]
pub struct CreateEphemeral {
    /// The subject of the key; `None` stands for the caller.
    pub subject_id: Option<String>,
    /// The session name shown in audit logs.
    pub session_name: String,
    /// JSON that narrows the rights of the subject.
    pub policy: Option<String>,
    /// The requested lifetime; `None` leaves it to the server: the lifetime of the IAM token.
    pub duration: Option<Duration>,
}

/// Issues a key: `CreateEphemeral`. The response holds the only copy of the secret.
///
/// # Errors
/// The server refuses, or cannot be reached; the key may exist all the same when the error says so.
pub async fn create_ephemeral(client: &Client<'_>, request: &CreateEphemeral) -> Result<EphemeralKey> {
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
    // Source of the role: yandex-cloud/docs, `en/_roles/iam/serviceAccounts/ephemeralAccessKeyAdmin.md`.
    let role = "iam.serviceAccounts.ephemeralAccessKeyAdmin";
    let call = Call::new(Service::Iam, Method::POST, path)
        .body(body)
        .makes_a_secret()
        .takes(role, Scope::account(request.subject_id.as_deref()));
    let response = client.accepted(call).await?;
    let clock = response.clock;
    EphemeralKey::parse(response.into_json()?, |time| clock.lifetime_until(time))
}
