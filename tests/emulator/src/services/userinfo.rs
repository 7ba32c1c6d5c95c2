//! Who an IAM token was issued to.
//! Source: OIDC Core 1.0, section 5.3; the endpoint is that of
//! `https://auth.yandex.cloud/.well-known/openid-configuration`.

use serde_json::json;

use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;
use crate::state::State;
use crate::status::Status;

pub(crate) const ROUTES: &[Route] = &[Route::get("/oauth/userinfo", subject)];

#[expect(clippy::unnecessary_wraps, reason = "a handler may refuse")]
fn subject(_: &mut State, call: &Call) -> Result<Reply, Status> {
    Ok(Reply::json(&json!({"sub": call.caller().subject_id})))
}
