//! Workload identity federation: an external token is exchanged for the IAM token of a service account.
//! Source: IAM docs, setting up workload identity federation.
//!
//! How the service words its refusals is not documented. Here they are OAuth errors with status 400, named after
//! RFC 8693, section 2.2.2, or `google.rpc.Status` after [`Emulator::set_federation_status_errors`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Map, Value, json};

use crate::Emulator;
use crate::call::Call;
use crate::dialect::Dialect;
use crate::field::Field;
use crate::issuer;
use crate::reply::Reply;
use crate::route::Route;
use crate::services::jwt;
use crate::shape;
use crate::state::{Grant, State};
use crate::status::{NOT_FOUND, PERMISSION_DENIED, Status, UNAUTHENTICATED};

pub(crate) const ROUTES: &[Route] =
    &[Route::post("/oauth/token", exchange).anonymous().dialect(Dialect::OAuth).form(&[
        Field::required("grant_type", |text| exactly(text, "urn:ietf:params:oauth:grant-type:token-exchange")),
        Field::required("requested_token_type", |text| exactly(text, "urn:ietf:params:oauth:token-type:access_token")),
        Field::required("audience", crate::field::id),
        Field::required("subject_token", |_| Ok(())),
        Field::required("subject_token_type", |text| exactly(text, "urn:ietf:params:oauth:token-type:id_token")),
    ])];

fn exactly(text: &str, expected: &str) -> Result<(), String> {
    if text == expected { Ok(()) } else { Err(format!("must be {expected}")) }
}

/// A federation: whose tokens are trusted, and for which service accounts.
#[derive(Debug)]
pub(crate) struct Federation {
    id: String,
    issuer: String,
    audience: String,
    /// The key set that the issuer has published.
    key_set: Value,
    /// External subject and service account.
    bindings: Vec<(String, String)>,
}

/// Workload identity federation.
impl Emulator {
    /// Trusts the tokens of an issuer that are meant for this audience; gives the federation's ID.
    pub fn add_federation(&self, issuer: &str, audience: &str) -> String {
        let id = shape::resource_id();
        self.shared.state().federations.push(Federation {
            id: id.clone(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            key_set: issuer::key_set(issuer),
            bindings: Vec::new(),
        });
        id
    }

    /// Lets an external subject of a federation become a service account.
    ///
    /// # Panics
    /// When the federation is unknown.
    pub fn bind(&self, federation_id: &str, subject: &str, service_account_id: &str) {
        let mut state = self.shared.state();
        let mut federations = state.federations.iter_mut();
        let federation = federations.find(|federation| federation.id == federation_id).expect("a known federation");
        federation.bindings.push((subject.to_owned(), service_account_id.to_owned()));
    }

    /// Sets whether refusals are `google.rpc.Status` rather than OAuth errors. Default: OAuth errors.
    pub fn set_federation_status_errors(&self, status: bool) {
        self.shared.state().settings.federation_status_errors = status;
    }
}

fn exchange(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let account = call.field("audience").to_owned();
    let (federation, subject) = verify(state, call)
        .map_err(|rule| refusal(state, UNAUTHENTICATED, "invalid_request", format!("subject_token: {rule}")))?;
    let issuer = federation.issuer.clone();
    if !federation.bindings.contains(&(subject.clone(), account.clone())) {
        let text = format!("{subject} is not bound to the service account {account}");
        return Err(refusal(state, PERMISSION_DENIED, "invalid_target", text));
    }
    if state.service_account(&account).is_err() {
        return Err(refusal(state, NOT_FOUND, "invalid_target", format!("Service account {account} not found")));
    }
    let lifetime = state.settings.token_lifetime;
    let token = state.add_token(&account, lifetime, Grant::Federation { issuer, subject }, call.now);
    Ok(Reply::json(&json!({
        "access_token": token.value,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    })))
}

fn refusal(state: &State, code: u32, error: &str, message: String) -> Status {
    let status = Status::new(code, message).named(error);
    if state.settings.federation_status_errors { status } else { status.http(400) }
}

/// The federation that trusts the token, and the token's subject; or the rule that it breaks.
fn verify<'a>(state: &'a State, call: &Call) -> Result<(&'a Federation, String), String> {
    let token = call.field("subject_token");
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        return Err("JWT: it must have three parts".to_owned());
    };
    let signed = &token[..token.len() - signature.len() - 1];
    let header = jwt::object(header, "header")?;
    let claims = jwt::object(claims, "claims")?;
    if header.get("alg") != Some(&json!("RS256")) {
        return Err("JWT: alg must be RS256".to_owned());
    }

    let issuer = jwt::text(&claims, "iss")?;
    let trusted: Vec<&Federation> = state.federations.iter().filter(|federation| federation.issuer == issuer).collect();
    let first = trusted.first().ok_or_else(|| format!("JWT: no federation trusts the issuer {issuer}"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "JWT: the signature is not base64url".to_owned())?;
    public_key(&first.key_set, jwt::text(&header, "kid")?)?
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .map_err(|_| "JWT: the signature is wrong".to_owned())?;

    check_times(&claims, call.now.timestamp())?;
    let subject = jwt::text(&claims, "sub")?.to_owned();
    let meant = |audience: &str| match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(|value| value == audience),
        single => single.is_some_and(|value| value == audience),
    };
    let federation = trusted.into_iter().find(|federation| meant(&federation.audience));
    let federation = federation.ok_or_else(|| "JWT: aud is not that of the federation".to_owned())?;
    Ok((federation, subject))
}

fn public_key(key_set: &Value, key_id: &str) -> Result<RsaPublicKeyComponents<Vec<u8>>, String> {
    let keys = key_set["keys"].as_array().expect("a key set has keys");
    let key = keys.iter().find(|key| key["kid"] == key_id);
    let key = key.ok_or_else(|| format!("JWT: kid {key_id} is not in the issuer's key set"))?;
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64url");
    Ok(RsaPublicKeyComponents { n: part("n"), e: part("e") })
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), String> {
    if jwt::seconds(claims, "iat")? > now + jwt::SKEW {
        return Err("JWT: iat is in the future".to_owned());
    }
    if claims.contains_key("nbf") && jwt::seconds(claims, "nbf")? > now + jwt::SKEW {
        return Err("JWT: nbf is in the future".to_owned());
    }
    if jwt::seconds(claims, "exp")? <= now {
        return Err("JWT: exp is in the past".to_owned());
    }
    Ok(())
}
