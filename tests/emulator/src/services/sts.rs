//! Security Token Service: temporary keys in exchange for a request that a static key has signed.
//! Source: IAM docs, creating a key with Security Token Service; AWS Security Token Service API reference,
//! `AssumeRole`.
//!
//! The documentation shows the AWS CLI at work and not the wire; what it leaves open is read as AWS has it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::Emulator;
use crate::call::{Arrival, Call, Identity};
use crate::clock;
use crate::dialect::Dialect;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::shape;
use crate::sigv4::Signed;
use crate::state::State;
use crate::status::{INVALID_ARGUMENT, PERMISSION_DENIED, Status};
use crate::xml::{self, element, text};

/// Region and service that a request must be signed for.
const SCOPE: (&str, &str) = ("ru-central1", "sts");

pub(crate) const ROUTES: &[Route] =
    &[Route::post("/", assume_role).admission(signature).dialect(Dialect::Aws).form(&[
        Field::required("Action", |_| Ok(())),
        Field::required("Version", version),
        Field::required("RoleArn", role_arn),
        Field::required("RoleSessionName", session_name),
        Field::optional("DurationSeconds", duration),
        Field::optional("Policy", policy),
    ])];

/// A key made by `AssumeRole`, and the request that it was made for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StsKey {
    /// Key ID: that of the static key behind it.
    pub access_key_id: String,
    /// The secret.
    pub secret: String,
    /// The session token, `s1.…`.
    pub session_token: String,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// The owner of the static key.
    pub service_account_id: String,
    /// The requested role ARN.
    pub role_arn: String,
    /// The requested session name.
    pub role_session_name: String,
    /// The policy as it was sent.
    pub policy: Option<String>,
    /// The requested duration.
    pub duration: Option<Duration>,
}

/// Security Token Service.
impl Emulator {
    /// All keys that `AssumeRole` has ever made, in order.
    pub fn sts_keys(&self) -> Vec<StsKey> {
        self.shared.state().sts_keys.clone()
    }
}

/// Finds the static key and checks the signature. Temporary keys cannot sign here.
fn signature(state: &State, arrival: &Arrival) -> Result<Identity, Status> {
    let headers = &arrival.head.headers;
    let signed = Signed::read(headers)?;
    let key = state.access_keys.iter().find(|key| key.key_id == signed.key_id);
    let key = key.filter(|_| !headers.contains_key("x-amz-security-token")).ok_or_else(|| {
        let text = "The security token included in the request is invalid";
        Status::new(PERMISSION_DENIED, text).named("InvalidClientTokenId")
    })?;
    signed.verify(&key.secret, SCOPE, arrival.head, arrival.body, arrival.now)?;

    // Which parameters there may be depends on the action, so this one comes first.
    let body = String::from_utf8_lossy(arrival.body);
    match body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        None | Some("AssumeRole") => Ok(Identity::Key(key.clone())),
        Some(other) => {
            let text = format!("Could not find operation {other}");
            Err(Status::new(INVALID_ARGUMENT, text).named("InvalidAction"))
        }
    }
}

fn version(text: &str) -> Result<(), String> {
    if text == "2011-06-15" { Ok(()) } else { Err("must be 2011-06-15".to_owned()) }
}

/// It names nothing.
fn role_arn(text: &str) -> Result<(), String> {
    if text.len() >= 20 { plain(text) } else { Err("must be at least 20 characters".to_owned()) }
}

fn session_name(text: &str) -> Result<(), String> {
    if (1..=64).contains(&text.len()) { plain(text) } else { Err("must be 1-64 characters".to_owned()) }
}

fn plain(text: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if text.bytes().all(allowed) { Ok(()) } else { Err("must be letters, digits, _ and -".to_owned()) }
}

fn duration(text: &str) -> Result<(), String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(900..=43200) if digits => Ok(()),
        _ => Err("must be a number from 900 to 43200".to_owned()),
    }
}

fn policy(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { field::policy(text) }
}

/// Without `DurationSeconds` a key expires after 15 minutes: the shorter one of two readings.
#[expect(clippy::unnecessary_wraps, reason = "all handlers look alike")]
fn assume_role(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let asked = call.field("DurationSeconds").parse().ok();
    let key = StsKey {
        access_key_id: call.access_key().key_id.clone(),
        secret: shape::static_secret(),
        session_token: shape::session_token(),
        expires_at: call.now + TimeDelta::seconds(asked.unwrap_or(900)),
        service_account_id: call.access_key().service_account_id.clone(),
        role_arn: call.field("RoleArn").to_owned(),
        role_session_name: call.field("RoleSessionName").to_owned(),
        policy: call.has("Policy").then(|| call.field("Policy").to_owned()),
        duration: asked.and_then(|seconds| TimeDelta::seconds(seconds).to_std().ok()),
    };
    let request_id = shape::uuid();
    let credentials = element(
        "Credentials",
        &[
            text("AccessKeyId", &key.access_key_id),
            text("SecretAccessKey", &key.secret),
            text("SessionToken", &key.session_token),
            text("Expiration", &clock::in_seconds(key.expires_at)),
        ],
    );
    let arn = format!("{}/{}", key.role_arn, key.role_session_name);
    let result = [
        credentials,
        element("AssumedRoleUser", &[text("Arn", &arn)]),
        text("PackedPolicySize", "0"),
        text("SourceIdentity", ""),
    ];
    let mut reply = xml::reply(
        "AssumeRoleResponse",
        xml::STS,
        &[element("AssumeRoleResult", &result), element("ResponseMetadata", &[text("RequestId", &request_id)])],
    );
    reply.headers.push(("x-request-id".to_owned(), request_id));
    state.sts_keys.push(key);
    Ok(reply)
}
