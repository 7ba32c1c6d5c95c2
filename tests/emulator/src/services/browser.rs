//! Sign-in through a browser: authorization code with PKCE, refresh tokens, and their revocation.
//! Source: IAM docs, authenticating without a graphical interface; RFC 6749, 4.1 and 6; RFC 7636;
//! `yandex/cloud/iam/v1/refresh_token_service.proto`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::call::Call;
use crate::field::Field;
use crate::reply::Reply;
use crate::route::Route;
use crate::services::operation;
use crate::state::{Change, Grant, State};
use crate::status::{Status, UNAUTHENTICATED};
use crate::{Emulator, USER_ID, shape};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/oauth/authorize", authorize).anonymous().query(&[
        Field::required("client_id", |_| Ok(())),
        Field::required("code_challenge", challenge),
        Field::required("code_challenge_method", |text| exactly(text, "S256")),
        Field::required("redirect_uri", redirect),
        Field::required("response_type", |text| exactly(text, "code")),
        Field::required("scope", scope),
        Field::required("state", |text| at_least(text, 22)),
        Field::optional("yc_federation_hint", |_| Ok(())),
        Field::optional("yc_sub_hint", |_| Ok(())),
        Field::optional("yc_login_hint", |_| Ok(())),
    ]),
    Route::post("/iam/v1/refreshTokens:revoke", revoke).body(&[Field::required("refreshToken", |text| {
        if text.len() <= 1000 { Ok(()) } else { Err("must be at most 1000 characters".to_owned()) }
    })]),
];

/// What happens when a person signs in.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    /// Whether refresh tokens are granted.
    grants_refresh: bool,
    /// The error that the person, or the service, ends the sign-in with.
    error: Option<String>,
    codes: Vec<Code>,
    refresh_tokens: Vec<RefreshToken>,
}

#[derive(Debug, Clone)]
struct Code {
    value: String,
    challenge: String,
    redirect: String,
    client_id: String,
    refreshes: bool,
}

#[derive(Debug, Clone)]
struct RefreshToken {
    value: String,
    client_id: String,
    is_valid: bool,
}

impl Default for Browser {
    fn default() -> Self {
        Self { grants_refresh: true, error: None, codes: Vec::new(), refresh_tokens: Vec::new() }
    }
}

/// Sign-in through a browser.
impl Emulator {
    /// Grants no refresh tokens from now on.
    pub fn grant_no_refresh_tokens(&self) {
        self.shared.state().browser.grants_refresh = false;
    }

    /// Ends every sign-in with this error.
    pub fn refuse_sign_in(&self, error: &str) {
        self.shared.state().browser.error = Some(error.to_owned());
    }

    /// The refresh tokens that are valid.
    pub fn refresh_tokens(&self) -> Vec<String> {
        let state = self.shared.state();
        let valid = state.browser.refresh_tokens.iter().filter(|token| token.is_valid);
        valid.map(|token| token.value.clone()).collect()
    }
}

fn exactly(text: &str, expected: &str) -> Result<(), String> {
    if text == expected { Ok(()) } else { Err(format!("must be {expected}")) }
}

fn at_least(text: &str, length: usize) -> Result<(), String> {
    if text.len() >= length { Ok(()) } else { Err(format!("must be at least {length} characters")) }
}

fn challenge(text: &str) -> Result<(), String> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if bytes.len() == 32 => Ok(()),
        _ => Err("must be a SHA-256 digest in base64url".to_owned()),
    }
}

fn redirect(text: &str) -> Result<(), String> {
    let port = text.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/auth/callback"));
    match port.map(str::parse::<u16>) {
        Some(Ok(1..)) => Ok(()),
        _ => Err("must be http://127.0.0.1:PORT/auth/callback".to_owned()),
    }
}

fn scope(text: &str) -> Result<(), String> {
    if ["openid", "openid offline_access"].contains(&text) { Ok(()) } else { Err("is unknown".to_owned()) }
}

#[expect(clippy::unnecessary_wraps, reason = "a handler may refuse")]
fn authorize(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let answer = if let Some(error) = &state.browser.error {
        format!("error={error}")
    } else {
        let code = Code {
            value: shape::request_token(),
            challenge: call.field("code_challenge").to_owned(),
            redirect: call.field("redirect_uri").to_owned(),
            client_id: call.field("client_id").to_owned(),
            refreshes: call.field("scope").ends_with("offline_access"),
        };
        state.browser.codes.push(code.clone());
        format!("code={}", code.value)
    };
    let location = format!("{}?{answer}&state={}", call.field("redirect_uri"), call.field("state"));
    let mut reply = Reply::new(hyper::StatusCode::FOUND, "text/plain", "");
    reply.headers.push(("location".to_owned(), location));
    Ok(reply)
}

/// Exchanges a code, once.
pub(crate) fn exchange_code(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let at = state.browser.codes.iter().position(|code| code.value == call.field("code"));
    let code = at.map(|at| state.browser.codes.remove(at)).ok_or_else(|| refusal("the code is not valid"))?;
    let verifier = call.field("code_verifier");
    let fits = (43..=128).contains(&verifier.len())
        && URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == code.challenge;
    if !fits {
        return Err(refusal("the code_verifier does not fit the code_challenge"));
    }
    if code.redirect != call.field("redirect_uri") || code.client_id != call.field("client_id") {
        return Err(refusal("redirect_uri and client_id must be those of the authorization"));
    }
    let refreshes = code.refreshes && state.browser.grants_refresh;
    Ok(issue(state, call, refreshes))
}

/// Exchanges a refresh token for an IAM token and a new refresh token; the old one ends.
pub(crate) fn refresh(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let (value, client_id) = (call.field("refresh_token"), call.field("client_id"));
    let known = state.browser.refresh_tokens.iter_mut().find(|token| token.value == value && token.is_valid);
    let known = known.filter(|token| token.client_id == client_id);
    known.ok_or_else(|| refusal("the refresh token is not valid"))?.is_valid = false;
    Ok(issue(state, call, true))
}

fn refusal(message: &str) -> Status {
    Status::new(UNAUTHENTICATED, message).named("invalid_grant").http(400)
}

fn issue(state: &mut State, call: &Call, refreshes: bool) -> Reply {
    let lifetime = state.settings.token_lifetime;
    let token = state.add_token(USER_ID, lifetime, Grant::Oauth, call.now);
    let mut answer = json!({"access_token": token.value, "token_type": "Bearer", "expires_in": lifetime.as_secs()});
    if refreshes {
        let value = format!("rt1.{}", shape::request_token());
        answer["refresh_token"] = value.clone().into();
        let client_id = call.field("client_id").to_owned();
        state.browser.refresh_tokens.push(RefreshToken { value, client_id, is_valid: true });
    }
    Reply::json(&answer)
}

fn revoke(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let value = call.field("refreshToken").to_owned();
    if !state.browser.refresh_tokens.iter().any(|token| token.value == value) {
        return Err(Status::not_found("Refresh token", "of this value"));
    }
    let operation = state.start(call, "", Change::RevokeRefreshToken(value));
    Ok(Reply::json(&operation::message(state, &operation)))
}

/// Does what an operation of this service is to do; gives its response.
pub(crate) fn apply(state: &mut State, change: &Change) -> Option<Value> {
    let Change::RevokeRefreshToken(value) = change else { return None };
    let mut tokens = state.browser.refresh_tokens.iter_mut();
    tokens.find(|token| token.value == *value)?.is_valid = false;
    Some(json!({"refreshTokenIds": ["ajerefresh0000000001"]}))
}
