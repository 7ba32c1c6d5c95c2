//! `TemporaryAccessKeyService`.
//! Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`.

use chrono::TimeDelta;
use serde_json::Map;

use crate::call::Call;
use crate::clock;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::shape;
use crate::state::{EphemeralKey, Message, State, USER_ID};
use crate::status::Status;

pub(crate) const ROUTES: &[Route] = &[Route::post("/iam/aws-compatibility/v1/ephemeralAccessKeys", create).body(&[
    Field::optional("subjectId", field::id),
    Field::required("sessionName", field::session_name),
    Field::optional("policy", field::policy),
    Field::optional("duration", field::duration),
])];

/// Issues a key that expires no later than the token of the request.
/// A duration that reaches further is cut short: the proto says that the key is never longer than the token.
fn create(state: &mut State, call: &Call) -> Result<Reply, Status> {
    if state.settings.ephemeral_keys_unavailable {
        return Err(Status::new(14, "The service is unavailable"));
    }
    let caller = call.caller();
    let subject_id = match call.field("subjectId") {
        "" => caller.subject_id.clone(),
        id => id.to_owned(),
    };
    state.authorize(call, &subject_id)?;
    if subject_id != USER_ID {
        state.service_account(&subject_id)?;
    }
    let duration = field::seconds(call.field("duration"));
    let wanted = duration.and_then(|duration| TimeDelta::from_std(duration).ok()).map(|duration| call.now + duration);
    let longest = state.settings.ephemeral_key_lifetime.and_then(|longest| TimeDelta::from_std(longest).ok());
    let latest = longest.map_or(caller.token.expires_at, |longest| caller.token.expires_at.min(call.now + longest));
    let key = EphemeralKey {
        access_key_id: shape::resource_id(),
        secret: shape::ephemeral_secret(),
        session_token: shape::session_token(),
        expires_at: wanted.map_or(latest, |wanted| wanted.min(latest)),
        subject_id,
        session_name: call.field("sessionName").to_owned(),
        policy: call.has("policy").then(|| call.field("policy").to_owned()),
        duration,
        iam_token: caller.token.value.clone(),
    };
    let mut fields = Map::new();
    fields.insert("accessKeyId".to_owned(), key.access_key_id.clone().into());
    fields.insert("secret".to_owned(), key.secret.clone().into());
    fields.insert("sessionToken".to_owned(), key.session_token.clone().into());
    fields.insert("expiresAt".to_owned(), clock::exact(key.expires_at).into());
    state.ephemeral_keys.push(key);
    Ok(Reply::json(&state.with_extra_fields(Message::EphemeralKey, fields)))
}
