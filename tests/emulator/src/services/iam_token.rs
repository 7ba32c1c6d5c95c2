//! `IamTokenService`.
//! Source: `yandex/cloud/iam/v1/iam_token_service.proto`.

use serde_json::{Map, json};

use crate::call::Call;
use crate::clock;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::services::jwt;
use crate::state::{Grant, Message, State};
use crate::status::Status;

pub(crate) const ROUTES: &[Route] = &[
    // The documented `curl` call sends the JSON labelled as a form.
    // Source: IAM docs, getting an IAM token for a Yandex account.
    Route::post("/iam/v1/tokens", create)
        .anonymous()
        .mislabelled_json()
        .body(&[Field::optional("yandexPassportOauthToken", field::oauth_token), Field::optional("jwt", field::jwt)]),
    Route::post("/iam/v1/tokens:createForServiceAccount", create_for_service_account)
        .body(&[Field::required("serviceAccountId", field::id)]),
    Route::post("/iam/v1/tokens:revoke", revoke).body(&[Field::required("iamToken", field::iam_token)]),
];

fn create(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let (subject_id, grant) = match (call.has("yandexPassportOauthToken"), call.has("jwt")) {
        (true, false) => {
            let subject = state.oauth_tokens.get(call.field("yandexPassportOauthToken"));
            let subject = subject.ok_or_else(|| Status::unauthenticated("OAuth token is invalid or expired"))?;
            (subject.clone(), Grant::Oauth)
        }
        (false, true) => {
            let key = jwt::verify(state, call.field("jwt"), call.now).map_err(Status::unauthenticated)?;
            (key.service_account_id.clone(), Grant::Jwt { key_id: key.id.clone() })
        }
        _ => return Err(Status::invalid("identity", "exactly one of yandexPassportOauthToken and jwt is required")),
    };
    Ok(issue(state, call, &subject_id, grant))
}

/// The lifetime of the result is not documented; here it is that of any other token.
fn create_for_service_account(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let account = call.field("serviceAccountId").to_owned();
    state.authorize_impersonation(call, &account)?;
    state.service_account(&account)?;
    let grant = Grant::Impersonation { subject_id: call.caller().subject_id.clone() };
    Ok(issue(state, call, &account, grant))
}

fn issue(state: &mut State, call: &Call, subject_id: &str, grant: Grant) -> Reply {
    let token = state.add_token(subject_id, state.settings.token_lifetime, grant, call.now);
    let mut fields = Map::new();
    fields.insert("iamToken".to_owned(), token.value.into());
    fields.insert("expiresAt".to_owned(), clock::exact(token.expires_at).into());
    Reply::json(&state.with_extra_fields(Message::IamToken, fields))
}

/// Revokes a token. How the service refuses an unknown one is not documented.
fn revoke(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let value = call.field("iamToken");
    let token = state.valid_token(value, call.now);
    let subject_id = token.ok_or_else(|| Status::invalid("iamToken", "the token is invalid"))?.subject_id.clone();
    state.authorize(call, &subject_id)?;
    for token in state.tokens.iter_mut().filter(|token| token.value == value) {
        token.revoked = true;
    }
    Ok(Reply::json(&json!({"subjectId": subject_id})))
}
